#include "common/base/cidr.h"

#include <limits>

#include "test/catch.h"

namespace holdfast {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
Cidr net(std::string_view text) { return Cidr::parse(text).value(); }

TEST_CASE("an address is printed as RFC 5952 wants it", "[cidr]") {
  struct Case {
    const char* text;
    const char* printed;
  };
  const Case cases[] = {
      {"10.244.3.1", "10.244.3.1"},
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"FD00:0:0:1::0A", "fd00:0:0:1::a"},
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"::", "::"},
      {"::1", "::1"},
      {"::ffff:10.0.0.1", "::ffff:10.0.0.1"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.text) { CHECK(ip(c.text).to_string() == c.printed); }
  }
}

TEST_CASE("what is not an address is refused with its text", "[cidr]") {
  const std::string_view cases[] = {"",
                                    "10.0.0",
                                    "10.0.0.256",
                                    "010.0.0.1",
                                    "10.0.0.1 ",
                                    " 10.0.0.1",
                                    "10.0.0.1/24",
                                    "fe80::1%eth0",
                                    "1::2::3",
                                    ":::",
                                    "example",
                                    "::ffff:010.0.0.1",
                                    std::string_view("10.0.0.1\0x", 10),
                                    "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"};
  for (const std::string_view text : cases) {
    DYNAMIC_SECTION("'" << text << "'") {
      const auto parsed = IpAddress::parse(text);
      REQUIRE_FALSE(parsed);
      CHECK(parsed.error().code == Code::kInvalidArgument);
      CHECK(parsed.error().message == "'" + std::string(text) + "' is not an IP address");
    }
  }
}

TEST_CASE("IPv4-mapped addresses stay IPv6", "[cidr]") {
  CHECK(ip("::ffff:10.0.0.1").family() == IpFamily::kV6);
  CHECK(ip("::ffff:10.0.0.1") != ip("10.0.0.1"));
  CHECK(ip("10.0.0.1").bytes().size() == 4);
  CHECK(ip("::1").bytes().size() == 16);
}

TEST_CASE("addresses are ordered by family, then by value", "[cidr]") {
  CHECK(ip("10.0.0.9") < ip("10.0.0.10"));
  CHECK(ip("255.255.255.255") < ip("::"));
  CHECK(ip("::ffff") < ip("::1:0"));
  CHECK(ip("128.0.0.0") > ip("127.0.0.0"));
}

TEST_CASE("plus carries over bytes and ends with the address space", "[cidr]") {
  CHECK(ip("10.0.0.255").plus(1) == ip("10.0.1.0"));
  CHECK(ip("10.0.0.1").plus(0) == ip("10.0.0.1"));
  CHECK(ip("0.0.0.0").plus(0xffffffff) == ip("255.255.255.255"));
  CHECK_FALSE(ip("0.0.0.0").plus(0x100000000).has_value());
  CHECK_FALSE(ip("255.255.255.255").plus(1).has_value());
  CHECK(ip("fd00::ffff:ffff:ffff:ffff").plus(1) == ip("fd00:0:0:1::"));
  CHECK(ip("::1").plus(kMax) == ip("0:0:0:1::"));
  CHECK_FALSE(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").plus(1).has_value());
}

TEST_CASE("distance_from is the inverse of plus", "[cidr]") {
  CHECK(ip("10.0.1.0").distance_from(ip("10.0.0.255")) == 1);
  CHECK(ip("10.0.0.1").distance_from(ip("10.0.0.1")) == 0);
  CHECK(ip("255.255.255.255").distance_from(ip("0.0.0.0")) == 0xffffffff);
  CHECK(ip("0:0:0:1::").distance_from(ip("::1")) == kMax);
  CHECK_FALSE(ip("0:0:0:1::1").distance_from(ip("::")) == 1);
  CHECK_FALSE(ip("0:0:0:1::").distance_from(ip("::")).has_value());
  CHECK_FALSE(ip("10.0.0.0").distance_from(ip("10.0.0.1")).has_value());
  CHECK_FALSE(ip("::2").distance_from(ip("0.0.0.1")).has_value());
}

TEST_CASE("a CIDR keeps its host bits and knows its block", "[cidr]") {
  struct Case {
    const char* text;
    const char* network;
    const char* first;
    const char* last;
  };
  const Case cases[] = {
      {"10.244.3.17/24", "10.244.3.0/24", "10.244.3.0", "10.244.3.255"},
      {"10.1.2.3/20", "10.1.0.0/20", "10.1.0.0", "10.1.15.255"},
      {"10.1.2.3/32", "10.1.2.3/32", "10.1.2.3", "10.1.2.3"},
      {"10.1.2.3/0", "0.0.0.0/0", "0.0.0.0", "255.255.255.255"},
      {"10.1.2.3/31", "10.1.2.2/31", "10.1.2.2", "10.1.2.3"},
      {"fd00:10:244:3::1/64", "fd00:10:244:3::/64", "fd00:10:244:3::", "fd00:10:244:3:ffff:ffff:ffff:ffff"},
      {"fd00::ff/121", "fd00::80/121", "fd00::80", "fd00::ff"},
      {"::1/128", "::1/128", "::1", "::1"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.text) {
      CHECK(net(c.text).to_string() == c.text);
      CHECK(net(c.text).network() == net(c.network));
      CHECK(net(c.text).first() == ip(c.first));
      CHECK(net(c.text).last() == ip(c.last));
    }
  }
}

TEST_CASE("what is not a CIDR is refused with its text", "[cidr]") {
  const std::string_view cases[] = {"",
                                    "10.0.0.1",
                                    "10.0.0.1/",
                                    "10.1/33",
                                    "10.0.0.0/33",
                                    "::/129",
                                    "10.0.0.0/-1",
                                    "/24",
                                    "10.0.0.0/+1",
                                    "10.0.0.0/24/1",
                                    "10.0.0.0/ 8",
                                    "10.0.0.0/08",
                                    "10.0.0.0/4294967297"};
  for (const std::string_view text : cases) {
    DYNAMIC_SECTION("'" << text << "'") {
      const auto parsed = Cidr::parse(text);
      REQUIRE_FALSE(parsed);
      CHECK(parsed.error().code == Code::kInvalidArgument);
      CHECK(parsed.error().message == "'" + std::string(text) + "' is not a CIDR");
    }
  }
  CHECK(Cidr::make(ip("10.0.0.1"), 33).error().code == Code::kInvalidArgument);
  CHECK(Cidr::make(ip("10.0.0.1"), 32).value() == net("10.0.0.1/32"));
}

TEST_CASE("containment and overlap heed family and both ends", "[cidr]") {
  CHECK(net("10.0.0.0/24").contains(ip("10.0.0.0")));
  CHECK(net("10.0.0.7/24").contains(ip("10.0.0.255")));
  CHECK_FALSE(net("10.0.0.0/24").contains(ip("10.0.1.0")));
  CHECK_FALSE(net("10.0.1.0/24").contains(ip("10.0.0.255")));
  CHECK_FALSE(net("0.0.0.0/0").contains(ip("::")));
  CHECK(net("10.0.0.0/16").contains(net("10.0.9.0/24")));
  CHECK_FALSE(net("10.0.9.0/24").contains(net("10.0.0.0/16")));
  CHECK(net("10.0.9.0/24").overlaps(net("10.0.0.0/16")));
  CHECK(net("10.0.0.0/16").overlaps(net("10.0.9.0/24")));
  CHECK_FALSE(net("10.0.0.0/24").overlaps(net("10.0.1.0/24")));
  CHECK_FALSE(net("::/0").overlaps(net("0.0.0.0/0")));
}

}  // namespace
}  // namespace holdfast
