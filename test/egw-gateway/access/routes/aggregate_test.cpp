#include "egw-gateway/access/routes/aggregate.h"

#include <algorithm>
#include <bitset>
#include <random>

#include "test/catch.h"

namespace holdfast::gateway {
namespace {

std::vector<Cidr> cidrs(std::initializer_list<const char*> texts) {
  std::vector<Cidr> out;
  for (const char* text : texts) out.push_back(Cidr::parse(text).value());
  return out;
}

TEST_CASE("Ranges become the fewest that hold the same addresses", "[egw-access]") {
  struct Case {
    const char* name;
    std::vector<Cidr> in;
    std::vector<Cidr> out;
  };
  const Case cases[] = {
      {"none", {}, {}},
      {"two halves", cidrs({"10.0.1.0/24", "10.0.0.0/24"}), cidrs({"10.0.0.0/23"})},
      {"neighbours that are no halves", cidrs({"10.0.1.0/24", "10.0.2.0/24"}),
       cidrs({"10.0.1.0/24", "10.0.2.0/24"})},
      {"four quarters", cidrs({"10.0.2.0/24", "10.0.1.0/24", "10.0.3.0/24", "10.0.0.0/24"}),
       cidrs({"10.0.0.0/22"})},
      {"one in another", cidrs({"10.0.0.0/8", "10.1.2.0/24"}), cidrs({"10.0.0.0/8"})},
      {"twice, with host bits", cidrs({"10.0.0.1/24", "10.0.0.9/24"}), cidrs({"10.0.0.0/24"})},
      {"sizes that build up", cidrs({"10.0.0.0/25", "10.0.0.128/26", "10.0.0.192/26", "10.0.1.0/24"}),
       cidrs({"10.0.0.0/23"})},
      {"both families", cidrs({"fd00:0:0:1::/64", "0.0.0.0/1", "128.0.0.0/1", "fd00::/64"}),
       cidrs({"0.0.0.0/0", "fd00::/63"})},
      {"all of IPv6", cidrs({"::/1", "8000::/1", "::/0"}), cidrs({"::/0"})},
      {"the last addresses", cidrs({"255.255.255.254/32", "255.255.255.255/32"}),
       cidrs({"255.255.255.254/31"})},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(aggregate(c.in) == c.out); }
  }
}

TEST_CASE("Whatever the ranges are, not an address is lost or won, and no fewer would do", "[egw-access]") {
  std::mt19937 random(3);
  const auto bits_of = [](const std::vector<Cidr>& ranges) {
    std::bitset<65536> out;
    const IpAddress base = IpAddress::v4({10, 0, 0, 0});
    for (const Cidr& range : ranges) {
      const std::uint64_t first = range.first().distance_from(base).value();
      const std::uint64_t last = range.last().distance_from(base).value();
      for (std::uint64_t i = first; i <= last; ++i) out.set(i);
    }
    return out;
  };
  for (int round = 0; round < 400; ++round) {
    std::vector<Cidr> in;
    const std::size_t count = random() % 40;
    const unsigned shortest = 16 + static_cast<unsigned>(random() % 12);
    for (std::size_t i = 0; i < count; ++i) {
      const unsigned prefix = shortest + static_cast<unsigned>(random() % (33 - shortest));
      const auto third = static_cast<std::uint8_t>(random() % 256);
      const auto fourth = static_cast<std::uint8_t>(random() % 256);
      in.push_back(Cidr::make(IpAddress::v4({10, 0, third, fourth}), prefix).value());
    }
    const std::vector<Cidr> out = aggregate(in);
    const auto bits = bits_of(out);
    REQUIRE(bits == bits_of(in));
    // The fewest: each is as big as the union lets a block at its place be.
    for (const Cidr& range : out) {
      if (range.prefix() <= 16) continue;
      const Cidr bigger = Cidr::make(range.address(), range.prefix() - 1U).value().network();
      REQUIRE((bits_of({bigger}) & ~bits).any());
    }
    REQUIRE(std::ranges::is_sorted(out));
    REQUIRE(aggregate(out) == out);
    std::ranges::shuffle(in, random);
    REQUIRE(aggregate(in) == out);
  }
}

}  // namespace
}  // namespace holdfast::gateway
