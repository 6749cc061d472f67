#include "cni-flannel/ipam/range_set.h"

#include <limits>
#include <set>

#include "test/catch.h"
#include "test/cni-flannel/ipam/ipam_node.h"

namespace holdfast::flannel::test {
namespace {

using Texts = std::vector<std::string>;

TEST_CASE("how many addresses a range set can hand out", "[ipam]") {
  struct Case {
    const char* name;
    RangeSet set;
    Texts reserved;
    std::uint64_t size;
  };
  const Case cases[] = {
      {"a /24", {whole("10.0.0.0/24")}, {}, 253},
      {"two ranges", {whole("10.0.0.0/24"), whole("10.0.1.0/24")}, {}, 506},
      {"reserved blocks that overlap each other and the gateway",
       {whole("10.0.0.0/24")},
       {"10.0.0.0/29", "10.0.0.4/30", "10.0.0.200/32", "10.9.0.0/16"},
       254 - 7 - 1},
      {"reserved beyond both ends", {whole("10.0.0.0/24")}, {"10.0.0.0/16"}, 0},
      {"a /64", {whole("fd00::/64")}, {}, std::numeric_limits<std::uint64_t>::max() - 1},
      {"none", {}, {}, 0},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      std::vector<Cidr> reserved;
      for (const std::string& block : c.reserved) {
        reserved.push_back(Cidr::parse(block).value());
      }
      CHECK(size_of(c.set, reserved) == c.size);
    }
  }
}

TEST_CASE("the first free address goes round what is reserved, taken and the gateway", "[ipam]") {
  struct Case {
    const char* name;
    const char* from;
    std::set<IpAddress> taken;
    Texts reserved;
    std::string first;
  };
  const Case cases[] = {
      {"the gateway is passed over", "10.0.0.1", {}, {}, "10.0.0.2"},
      {"from the middle", "10.0.0.4", {}, {}, "10.0.0.4"},
      {"taken ones", "10.0.0.2", {ip("10.0.0.2"), ip("10.0.0.3")}, {}, "10.0.0.4"},
      {"a reserved block behind a taken one",
       "10.0.0.2",
       {ip("10.0.0.2"), ip("10.0.0.3")},
       {"10.0.0.4/31"},
       "10.0.0.6"},
      {"nothing left", "10.0.0.6", {ip("10.0.0.6")}, {}, ""},
      {"from outside", "10.0.0.9", {}, {}, ""},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      std::vector<Cidr> reserved;
      for (const std::string& block : c.reserved) {
        reserved.push_back(Cidr::parse(block).value());
      }
      const auto first = first_free(whole("10.0.0.0/29"), reserved, ip(c.from),
                                    [&](const IpAddress& address) { return c.taken.contains(address); });
      CHECK((first ? first->to_string() : "") == c.first);
    }
  }
}

}  // namespace
}  // namespace holdfast::flannel::test
