#include "egw-gateway/model/routed_ranges.h"

#include "test/catch.h"

namespace holdfast::gateway {
namespace {

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }

std::vector<Cidr> cidrs(std::initializer_list<const char*> texts) {
  std::vector<Cidr> out;
  for (const char* text : texts) out.push_back(cidr(text));
  return out;
}

RoutedRanges routed(const EdgeGateway& gateway) { return routed_ranges(gateway, exemptions(gateway)); }

TEST_CASE("A block without a part of it is the fewest blocks that cover the rest", "[gateway]") {
  CHECK(without(cidr("10.0.0.0/8"), cidr("192.168.0.0/16")) == cidrs({"10.0.0.0/8"}));
  CHECK(without(cidr("10.0.0.0/16"), cidr("10.0.0.0/8")).empty());
  CHECK(without(cidr("10.0.0.0/16"), cidr("10.0.0.0/16")).empty());
  CHECK(without(cidr("10.0.0.0/30"), cidr("10.0.0.2/32")) == cidrs({"10.0.0.0/31", "10.0.0.3/32"}));
  CHECK(without(cidr("10.0.0.0/30"), cidr("10.0.0.3/32")) == cidrs({"10.0.0.0/31", "10.0.0.2/32"}));
  CHECK(without(cidr("fd00::/126"), cidr("fd00::1/128")) == cidrs({"fd00::/128", "fd00::2/127"}));
  CHECK(without(cidr("10.0.0.0/8"), cidr("fd00::/8")) == cidrs({"10.0.0.0/8"}));
}

TEST_CASE("What a block loses is exactly what was taken", "[gateway]") {
  for (const char* taken :
       {"10.1.2.3/32", "10.255.255.255/32", "10.0.0.0/32", "10.128.0.0/9", "10.77.0.0/16"}) {
    const std::vector<Cidr> rest = without(cidr("10.0.0.0/8"), cidr(taken));
    std::uint64_t addresses = std::uint64_t{1} << (32U - cidr(taken).prefix());
    for (const Cidr& block : rest) {
      CHECK_FALSE(block.overlaps(cidr(taken)));
      addresses += std::uint64_t{1} << (32U - block.prefix());
    }
    CHECK(addresses == std::uint64_t{1} << 24U);
  }
}

TEST_CASE("Ranges that nothing is exempt of are routed as they are, and each once", "[gateway]") {
  const EdgeGateway gateway{.pod_cidrs = cidrs({"10.244.0.0/16"}),
                            .vpc_cidrs = cidrs({"172.16.0.0/12", "fd00:20::/48"}),
                            .cloud_pod_cidrs = cidrs({"172.20.0.0/16", "10.100.0.0/16"})};
  const RoutedRanges ranges = routed(gateway);
  CHECK(ranges.ranges == cidrs({"10.100.0.0/16", "172.16.0.0/12", "fd00:20::/48"}));
  CHECK(ranges.faults.empty());
}

TEST_CASE("The tunnel's own packets and the API server are never captured", "[gateway]") {
  EdgeGateway gateway{.vpc_cidrs = cidrs({"203.0.113.0/29"}), .exempt_cidrs = cidrs({"203.0.113.4/31"})};
  gateway.access_points.push_back({.name = "one", .address = IpAddress::parse("203.0.113.1").value()});
  const RoutedRanges ranges = routed(gateway);
  CHECK(ranges.ranges == cidrs({"203.0.113.0/32", "203.0.113.2/31", "203.0.113.6/31"}));
  CHECK(ranges.faults.empty());
}

TEST_CASE("Addresses that belong to nodes or edge tunnels are never captured, and that is told",
          "[gateway]") {
  const RoutedRanges ranges = routed({.vpc_cidrs = cidrs({"169.254.0.0/15", "198.18.0.0/15", "fe80::/9"})});
  CHECK(ranges.ranges == cidrs({"169.255.0.0/16", "fec0::/10"}));
  CHECK(ranges.faults ==
        std::vector<std::string>{
            "169.254.0.0/15 overlaps link-local addresses, 169.254.0.0/16, which stays on the node's own "
            "routes",
            "198.18.0.0/15 overlaps addresses of edge tunnels, 198.18.0.0/15: not routed",
            "fe80::/9 overlaps link-local addresses, fe80::/10, which stays on the node's own routes"});
}

TEST_CASE("A range that holds the pool's pods keeps its rest, and that is told", "[gateway]") {
  const RoutedRanges ranges =
      routed({.pod_cidrs = cidrs({"10.244.0.0/16"}), .vpc_cidrs = cidrs({"10.244.0.0/15"})});
  CHECK(ranges.ranges == cidrs({"10.245.0.0/16"}));
  REQUIRE(ranges.faults.size() == 1);
  CHECK(ranges.faults[0] ==
        "10.244.0.0/15 overlaps the pool's own pods, 10.244.0.0/16, which stays on the node's own routes");
}

TEST_CASE("A network that a site's DHCP server names takes a part of a range, and never all of it",
          "[gateway]") {
  struct Case {
    const char* name;
    const char* network;
    std::initializer_list<const char*> ranges;
    const char* fault;
  };
  const Case cases[] = {
      {"a part",
       "172.24.0.0/13",
       {"172.16.0.0/13"},
       "172.16.0.0/12 overlaps a network of this node, 172.24.0.0/13, which stays on the node's own routes"},
      {"elsewhere", "192.168.0.0/16", {"172.16.0.0/12"}, nullptr},
      {"the range itself",
       "172.16.0.0/12",
       {"172.16.0.0/13", "172.24.0.0/13"},
       "172.16.0.0/12 lies in a network of this node, 172.16.0.0/12, and is routed to the "
       "gateways all the same"},
      {"more than the range",
       "172.0.0.0/8",
       {"172.16.0.0/12"},
       "172.16.0.0/12 lies in a network of this node, 172.0.0.0/8, and is routed to the "
       "gateways all the same"}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const RoutedRanges ranges =
          routed_ranges({.vpc_cidrs = cidrs({"172.16.0.0/12"})},
                        {{.range = cidr(c.network), .what = "a network of this node", .yields = true}});
      CHECK(ranges.ranges == cidrs(c.ranges));
      CHECK(ranges.faults ==
            (c.fault == nullptr ? std::vector<std::string>{} : std::vector<std::string>{c.fault}));
    }
  }
}

TEST_CASE("A single address that is a node's network too is routed", "[gateway]") {
  const RoutedRanges ranges =
      routed_ranges({.vpc_cidrs = cidrs({"172.16.0.1/32"})},
                    {{.range = cidr("172.16.0.1/32"), .what = "a network of this node", .yields = true}});
  CHECK(ranges.ranges == cidrs({"172.16.0.1/32"}));
  CHECK(ranges.faults.size() == 1);
}

TEST_CASE("The overlay's own packets to nodes are not for a gateway, and such a plan is told", "[gateway]") {
  EdgeGateway pool;
  pool.vpc_cidrs = {cidr("10.0.0.0/8")};
  pool.nodes = {{.name = "box-2", .addresses = {IpAddress::parse("10.0.2.12").value()}},
                {.name = "box-3", .addresses = {IpAddress::parse("192.168.77.3").value()}}};
  const RoutedRanges ranges = routed_ranges(pool, exemptions(pool));
  CHECK(ranges.ranges.size() == 24);
  for (const Cidr& range : ranges.ranges) CHECK_FALSE(range.contains(pool.nodes[0].addresses[0]));
  CHECK(ranges.faults ==
        std::vector<std::string>{
            "10.0.0.0/8 overlaps node box-2, 10.0.2.12/32, which stays on the node's own routes"});
}

TEST_CASE("Ranges that fall into too many blocks are told, with the cure", "[gateway]") {
  CHECK(trouble_with_blocks(kMostBlocks).empty());
  CHECK_THAT(trouble_with_blocks(kMostBlocks + 1),
             Catch::Contains("into 1001 blocks") && Catch::Contains("fewer and larger blocks"));
}

}  // namespace
}  // namespace holdfast::gateway
