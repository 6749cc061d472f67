#include "common/inspect/condition_page.h"

#include "test/catch.h"
#include "test/fakes/fake_clock.h"

namespace holdfast {
namespace {

TEST_CASE("Samples of one label are read from a page of metrics, and nothing else is", "[inspect]") {
  const std::string page =
      "# HELP up Whether.\n# TYPE up gauge\nup 3\nup{gateway=\"a\"} 1\nup{gateway=\"b\"} 0\n"
      "upper{gateway=\"c\"} 1\nup{gateway=\"d\",of=\"e\"} 1\nup{gateway=\"f\nup{\"\nup{gateway=\"g\"} -1.5";
  CHECK(labelled_samples(page, "up") == std::map<std::string, double>{{"a", 1}, {"b", 0}, {"g", -1.5}});
  CHECK(labelled_samples("", "up").empty());
}

TEST_CASE("A condition page of strangers is not misread", "[inspect]") {
  CHECK(parse_unmet("<html>\n[-]\n[-] \n").size() == 2);
  CHECK(parse_unmet("[-]RoutesInPlace failed: it is closed\n[+]PoolKnown ok\n") ==
        std::vector<UnmetCondition>{{"RoutesInPlace", "it is closed", false}});
}

TEST_CASE("A daemon that nobody serves for is silent, and the place is named", "[inspect]") {
  test::FakeClock clock;
  const ConditionPage page = ask_conditions(clock, {.address = IpAddress(), .port = 1});
  CHECK_FALSE(page.ready);
  CHECK_THAT(page.silence, Catch::Contains("it does not answer at 127.0.0.1 port 1 ("));
}

}  // namespace
}  // namespace holdfast
