#include "common/netlink/mac_address.h"

#include "test/catch.h"

namespace holdfast {
namespace {

TEST_CASE("A MAC address is read in both usual spellings and written in one", "[netlink]") {
  struct Case {
    const char* name;
    const char* text;
    const char* canonical;
  };
  const Case cases[] = {
      {"lower case", "02:00:0a:f4:01:05", "02:00:0a:f4:01:05"},
      {"upper case", "DE:AD:BE:EF:00:FF", "de:ad:be:ef:00:ff"},
      {"dashes", "0e-2a-0a-00-00-01", "0e:2a:0a:00:00:01"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto mac = MacAddress::parse(c.text);
      REQUIRE(mac.has_value());
      CHECK(mac->to_string() == c.canonical);
    }
  }
}

TEST_CASE("What is not a MAC address is refused with its text", "[netlink]") {
  const char* const cases[] = {"",
                               "02:00:0a:f4:01",
                               "02:00:0a:f4:01:05:06",
                               "02:00:0a:f4:01:0g",
                               "02:00-0a:f4:01:05",
                               "02-00:0a-f4-01-05",
                               "0200.0af4.0105",
                               " 2:00:0a:f4:01:05",
                               "2:0:a:f4:1:5:00:0"};
  for (const char* text : cases) {
    DYNAMIC_SECTION("'" << text << "'") {
      const auto mac = MacAddress::parse(text);
      REQUIRE_FALSE(mac.has_value());
      CHECK(mac.error().code == Code::kInvalidArgument);
      CHECK(mac.error().message == "'" + std::string(text) + "' is not a MAC address");
    }
  }
}

TEST_CASE("A MAC address knows whether an interface may have it", "[netlink]") {
  CHECK(MacAddress().is_zero());
  CHECK(MacAddress::parse("01:00:5e:00:00:01")->is_group());
  CHECK(MacAddress::parse("ff:ff:ff:ff:ff:ff")->is_group());
  CHECK_FALSE(MacAddress::parse("02:00:00:00:00:01")->is_group());
  CHECK_FALSE(MacAddress::parse("02:00:00:00:00:01")->is_zero());
}

}  // namespace
}  // namespace holdfast
