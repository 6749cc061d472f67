#include "common/base/host_addresses.h"

#include <algorithm>

#include "test/catch.h"

namespace holdfast {
namespace {

TEST_CASE("An address is its own, and needs no name server", "[base]") {
  for (const char* text : {"203.0.113.9", "fd00::9"}) {
    CHECK(addresses_of_host(text).value() == std::vector<IpAddress>{IpAddress::parse(text).value()});
  }
}

TEST_CASE("A name gives all addresses it has, each once", "[base]") {
  const std::vector<IpAddress> found = addresses_of_host("localhost").value();
  CHECK(std::ranges::find(found, IpAddress::parse("127.0.0.1").value()) != found.end());
  CHECK(std::ranges::is_sorted(found));
  CHECK(std::ranges::adjacent_find(found) == found.end());
}

TEST_CASE("What no resolver takes for a name is told by it", "[base]") {
  for (const char* name : {"", "a..b"}) {
    const auto found = addresses_of_host(name);
    REQUIRE_FALSE(found.has_value());
    CHECK(found.error().code == Code::kUnavailable);
    CHECK_THAT(found.error().message, Catch::StartsWith(std::string(name) + " has no address now: "));
  }
}

}  // namespace
}  // namespace holdfast
