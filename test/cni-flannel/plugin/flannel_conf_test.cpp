#include "cni-flannel/plugin/flannel_conf.h"

#include <string>

#include "test/catch.h"

namespace holdfast::flannel {
namespace {

cni::CniResult<FlannelConf> parse(const std::string& members) {
  return parse_flannel_conf(cni::parse_net_conf(R"({"name":"cbr0")" + members + "}").value());
}

TEST_CASE("without options the files are where flannel has them", "[flannel]") {
  const auto conf = parse(R"(,"subnetFile":"","dataDir":null)");
  REQUIRE(conf.has_value());
  CHECK(conf->subnet_file == "/run/flannel/subnet.env");
  CHECK(conf->data_dir == "/var/lib/cni/flannel");
  CHECK(conf->own.state_dir == "/var/lib/cni/flannel-state");
  CHECK(conf->own.results_dir == "/var/lib/cni/results");
  CHECK(conf->own.reserved.empty());
  CHECK_FALSE(conf->own.binding_ttl.has_value());
  CHECK(conf->delegate == nullptr);
  CHECK(conf->ipam == nullptr);
}

TEST_CASE("every option is read", "[flannel]") {
  const auto conf = parse(
      R"(,"subnetFile":"/a","dataDir":"/b","delegate":{"type":"bridge"},"ipam":{"type":"host-local"},
         "holdfast":{"stateDir":"/c","resultsDir":"/d","reserved":["10.1.0.9","10.1.0.77/28","2001:db8::1"],
                     "bindingTtl":"30d"})");
  REQUIRE(conf.has_value());
  CHECK(conf->subnet_file == "/a");
  CHECK(conf->data_dir == "/b");
  CHECK(cni::to_text(conf->delegate) == R"({"type":"bridge"})");
  CHECK(cni::to_text(conf->ipam) == R"({"type":"host-local"})");
  CHECK(conf->own.state_dir == "/c");
  CHECK(conf->own.results_dir == "/d");
  REQUIRE(conf->own.reserved.size() == 3);
  CHECK(conf->own.reserved[0].to_string() == "10.1.0.9/32");
  CHECK(conf->own.reserved[1].to_string() == "10.1.0.64/28");
  CHECK(conf->own.reserved[2].to_string() == "2001:db8::1/128");
  CHECK(conf->own.binding_ttl == std::chrono::hours(24 * 30));
}

TEST_CASE("durations have a number and one unit", "[flannel]") {
  struct Case {
    const char* text;
    std::optional<std::chrono::seconds> value;
  };
  using std::chrono::seconds;
  const Case cases[] = {{"90s", seconds(90)},
                        {"15m", seconds(900)},
                        {"12h", seconds(43200)},
                        {"36500d", seconds(3153600000)},
                        {"36501d", {}},
                        {"0s", {}},
                        {"-1s", {}},
                        {"10", {}},
                        {"s", {}},
                        {"1h30m", {}},
                        {"1.5h", {}},
                        {"", {}},
                        {"9999999999999999999d", {}},
                        {"1w", {}}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION("'" << c.text << "'") {
      const auto conf = parse(std::string(R"(,"holdfast":{"bindingTtl":")") + c.text + R"("})");
      CHECK(conf.has_value() == c.value.has_value());
      if (conf) CHECK(conf->own.binding_ttl == c.value);
    }
  }
}

}  // namespace
}  // namespace holdfast::flannel
