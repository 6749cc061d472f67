#include "egw-gateway/helper/node_routes.h"

#include <algorithm>

#include "egw-gateway/model/gateway_names.h"
#include "test/catch.h"

namespace holdfast::gateway {
namespace {

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }
IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

constexpr int kEth0 = 2;
constexpr int kBridge = 3;
constexpr int kOverlay = 4;
constexpr int kOverlayV6 = 5;
const LinkNames kNames;

nl::Route connected(const char* dst, int ifindex) {
  nl::Route out;
  out.dst = cidr(dst);
  out.ifindex = ifindex;
  out.protocol = 2;
  return out;
}

nl::Route via(const char* dst, const char* gateway, int ifindex) {
  nl::Route out;
  out.dst = cidr(dst);
  out.gateway = ip(gateway);
  out.ifindex = ifindex;
  out.onlink = ifindex == kOverlay || ifindex == kOverlayV6;
  return out;
}

/// Node 1 of three, as flanneld and the CNI plugin leave it.
NodeFacts node_1() {
  NodeFacts out;
  out.links = {{"flannel.1", kOverlay}, {"flannel-v6.1", kOverlayV6}, {"cni0", kBridge}};
  out.addresses = {{.ifindex = kOverlay, .cidr = cidr("10.244.1.0/32")},
                   {.ifindex = kBridge, .cidr = cidr("10.244.1.1/24")},
                   {.ifindex = kEth0, .cidr = cidr("192.168.77.1/24")}};
  out.routes = {via("0.0.0.0/0", "192.168.77.254", kEth0),
                connected("192.168.77.0/24", kEth0),
                connected("10.244.1.0/24", kBridge),
                via("10.244.2.0/24", "10.244.2.0", kOverlay),
                via("10.244.3.0/24", "192.168.77.3", kEth0),
                connected("fd00:0:0:1::/64", kBridge),
                via("fd00:0:0:2::/64", "fd00:0:0:2::", kOverlayV6)};
  return out;
}

const std::vector<Gateway> kGateways{{"a", "node1", {ip("10.244.1.7"), ip("fd00:0:0:1::7")}, 200},
                                     {"b", "node2", {ip("10.244.2.7"), ip("fd00:0:0:2::7")}, 100}};

RoutesWanted wanted_by(const NodeFacts& facts, const char* active, std::vector<Cidr> ranges) {
  const auto found = std::ranges::find(kGateways, std::string(active), &Gateway::name);
  const NextHops ways = found == kGateways.end() ? NextHops{} : ways_to(*found, facts, kNames);
  NextHops local = ways_to(kGateways[0], facts, kNames);
  return routes_wanted({ranges, ranges}, ways, local, kNames);
}

/// What the kernel has after the changes.
NodeFacts after(NodeFacts facts, const RouteChanges& changes) {
  const auto place = [](const nl::Route& route) {
    return std::tuple(route.table, route.dst, route.priority);
  };
  for (const nl::Route& route : changes.puts) {
    std::erase_if(facts.routes, [&](const nl::Route& old) { return place(old) == place(route); });
    facts.routes.push_back(route);
  }
  for (const nl::Rule& rule : changes.rule_puts) facts.rules.push_back(rule);
  for (const nl::Rule& rule : changes.rule_drops) std::erase(facts.rules, rule);
  for (const nl::Route& route : changes.drops) std::erase(facts.routes, route);
  return facts;
}

TEST_CASE("The way to a gateway is the overlay's or the bridge's, or none", "[gateway]") {
  const NodeFacts facts = node_1();
  CHECK(way_to(ip("10.244.1.7"), facts, kNames) == NextHop{kBridge, ip("10.244.1.7"), false, true});
  CHECK(way_to(ip("10.244.2.7"), facts, kNames) == NextHop{kOverlay, ip("10.244.2.0"), true, false});
  CHECK(way_to(ip("fd00:0:0:2::7"), facts, kNames) == NextHop{kOverlayV6, ip("fd00:0:0:2::"), true, false});
  CHECK_FALSE(way_to(ip("10.244.3.7"), facts, kNames).has_value());  // a direct route: in clear by eth0
  CHECK_FALSE(way_to(ip("10.244.9.7"), facts, kNames).has_value());  // the default route
  CHECK_FALSE(way_to(ip("fd00:0:0:9::7"), facts, kNames).has_value());
  CHECK_FALSE(way_to(ip("10.244.2.7"), NodeFacts{}, kNames).has_value());
}

TEST_CASE("A more special route decides the way", "[gateway]") {
  NodeFacts facts = node_1();
  nl::Route blackhole;
  blackhole.dst = cidr("10.244.2.7/32");
  blackhole.type = nl::RouteType::kBlackhole;
  facts.routes.push_back(blackhole);
  CHECK_FALSE(way_to(ip("10.244.2.7"), facts, kNames).has_value());
}

TEST_CASE("A range is unreachable before it is routed, and always", "[gateway]") {
  const NodeFacts facts = node_1();
  const RoutesWanted wanted = wanted_by(facts, "b", {cidr("172.16.0.0/12")});
  REQUIRE(wanted.routes.size() == 4);
  for (const std::size_t i : {0U, 1U}) {
    CHECK(wanted.routes[i].type == nl::RouteType::kUnreachable);
    CHECK(wanted.routes[i].table == (i == 0 ? kRangesTable : nl::kMainTable));
    CHECK(wanted.routes[i].priority == kUnreachableMetric);
  }
  CHECK(wanted.routes[3].gateway == ip("10.244.2.0"));
  CHECK(wanted.routes[3].onlink);
  CHECK(wanted.routes[3].table == kRangesTable);
  CHECK(wanted.routes[3].priority < wanted.routes[0].priority);
  for (const nl::Route& route : wanted.routes) CHECK(route.protocol == kRouteProtocol);
}

TEST_CASE("What comes by the overlay goes to the gateway here or nowhere", "[gateway]") {
  const NodeFacts facts = node_1();
  const RoutesWanted here = wanted_by(facts, "b", {cidr("172.16.0.0/12")});
  CHECK(here.routes[2].table == kTransitTable);
  CHECK(here.routes[2].ifindex == kBridge);
  CHECK(here.routes[2].gateway == ip("10.244.1.7"));
  const RoutesWanted nowhere =
      routes_wanted({{cidr("172.16.0.0/12")}, {cidr("172.16.0.0/12")}}, {}, {}, kNames);
  CHECK(nowhere.routes[2].table == kTransitTable);
  CHECK(nowhere.routes[2].type == nl::RouteType::kUnreachable);
  REQUIRE(nowhere.rules.size() == 2);
  CHECK(nowhere.rules[0].iif == "flannel.1");
  CHECK(nowhere.rules[0].table == kTransitTable);
  CHECK(nowhere.rules[1].iif.empty());
  CHECK(nowhere.rules[1].table == kRangesTable);
  CHECK(nowhere.rules[0].priority < nowhere.rules[1].priority);
}

TEST_CASE("What one node keeps off the gateways is not kept off for the others", "[gateway]") {
  EdgeGateway pool;
  pool.pod_cidrs = {cidr("10.244.0.0/16")};
  pool.vpc_cidrs = {cidr("172.16.0.0/16")};
  pool.exempt_cidrs = {cidr("172.16.128.0/17")};
  NodeFacts facts = node_1();
  facts.addresses.push_back({.ifindex = kEth0, .cidr = cidr("172.16.0.9/18")});
  const RoutedRanges own = routed_ranges(pool, node_exemptions(pool, {}, {ip("172.16.64.1")}, facts, kNames));
  const NodeRanges ranges = node_ranges(pool, own);
  CHECK(ranges.own == own.ranges);
  CHECK(ranges.own.size() == 14);  // all but one address of a quarter
  CHECK(ranges.other == std::vector<Cidr>{cidr("172.16.0.0/17")});
  const RoutesWanted wanted = routes_wanted(ranges, {}, ways_to(kGateways[0], facts, kNames), kNames);
  CHECK(std::ranges::count(wanted.routes, kTransitTable, &nl::Route::table) == 1);
}

TEST_CASE("Both families have their routes and their rules", "[gateway]") {
  const RoutesWanted wanted = wanted_by(node_1(), "b", {cidr("172.16.0.0/12"), cidr("fd00:20::/48")});
  CHECK(wanted.routes.size() == 8);
  REQUIRE(wanted.rules.size() == 4);
  CHECK(wanted.rules[2].iif == "flannel-v6.1");
  CHECK(wanted.routes.back().gateway == ip("fd00:0:0:2::"));
}

TEST_CASE("A gateway that lacks a family leaves that family's ranges unreachable", "[gateway]") {
  const NextHops v4{{IpFamily::kV4, {kOverlay, ip("10.244.2.0"), true, false}}};
  const RoutesWanted wanted =
      routes_wanted({{cidr("172.16.0.0/12"), cidr("fd00:20::/48")}, {}}, v4, {}, kNames);
  CHECK(std::ranges::count(wanted.routes, nl::RouteType::kUnicast, &nl::Route::type) == 1);
}

TEST_CASE("What is as wanted needs no change, and a second look neither", "[gateway]") {
  NodeFacts facts = node_1();
  for (const char* active : {"a", "b", "none", "a"}) {
    const RoutesWanted wanted = wanted_by(facts, active, {cidr("172.16.0.0/12"), cidr("fd00:20::/48")});
    const RouteChanges changes = plan_routes(wanted, facts);
    facts = after(facts, changes);
    CHECK(plan_routes(wanted, facts).empty());
  }
}

TEST_CASE("A switch replaces the route, and takes none away before", "[gateway]") {
  const std::vector<Cidr> ranges{cidr("172.16.0.0/12")};
  NodeFacts facts = after(node_1(), plan_routes(wanted_by(node_1(), "a", ranges), node_1()));
  const RouteChanges changes = plan_routes(wanted_by(facts, "b", ranges), facts);
  REQUIRE(changes.puts.size() == 1);
  CHECK(changes.puts[0].gateway == ip("10.244.2.0"));
  CHECK(changes.puts[0].priority == kGatewayMetric);
  CHECK(changes.drops.empty());
}

TEST_CASE("With no gateway only the route to it goes", "[gateway]") {
  const std::vector<Cidr> ranges{cidr("172.16.0.0/12")};
  const NodeFacts facts = after(node_1(), plan_routes(wanted_by(node_1(), "a", ranges), node_1()));
  const RouteChanges changes = plan_routes(wanted_by(facts, "none", ranges), facts);
  CHECK(changes.puts.empty());
  REQUIRE(changes.drops.size() == 1);
  CHECK(changes.drops[0].type == nl::RouteType::kUnicast);
}

TEST_CASE("Removal takes all of ours and nothing of others", "[gateway]") {
  const NodeFacts before = node_1();
  const NodeFacts facts = after(before, plan_routes(wanted_by(before, "a", {cidr("172.16.0.0/12")}), before));
  const NodeFacts cleaned = after(facts, plan_routes({}, facts));
  CHECK(cleaned.routes == before.routes);
  CHECK(cleaned.rules.empty());
}

TEST_CASE("A changed range is there before the old one goes", "[gateway]") {
  const NodeFacts facts =
      after(node_1(), plan_routes(wanted_by(node_1(), "a", {cidr("172.16.0.0/12")}), node_1()));
  const RouteChanges changes = plan_routes(wanted_by(facts, "a", {cidr("172.16.0.0/16")}), facts);
  CHECK(changes.puts.size() == 4);
  CHECK(changes.drops.size() == 4);
}

TEST_CASE("Routes of others for a part of a range are passed over, and told", "[gateway]") {
  NodeFacts facts = node_1();
  const std::vector<Cidr> ranges{cidr("172.16.0.0/12"), cidr("fd00:20::/48")};
  CHECK_FALSE(ranges_come_first(facts, IpFamily::kV4));
  facts = after(facts, plan_routes(wanted_by(facts, "a", ranges), facts));
  CHECK(ranges_come_first(facts, IpFamily::kV4));
  CHECK(ranges_come_first(facts, IpFamily::kV6));
  CHECK(routes_passed_over(ranges, facts).empty());
  for (const char* dst : {"172.16.0.0/12", "172.16.9.0/24"})
    facts.routes.push_back(via(dst, "192.168.77.9", kEth0));
  facts.routes.push_back(via("172.0.0.0/8", "192.168.77.9", kEth0));  // more general: it never counted
  REQUIRE(routes_passed_over(ranges, facts).size() == 2);
  CHECK(routes_passed_over(ranges, facts)[1].dst == cidr("172.16.9.0/24"));
  CHECK(plan_routes(wanted_by(facts, "a", ranges), facts).empty());
}

TEST_CASE("What an earlier version had in the table main goes when its place is taken", "[gateway]") {
  NodeFacts facts = node_1();
  nl::Route before = via("172.16.0.0/12", "10.244.2.0", kOverlay);
  before.protocol = kRouteProtocol;
  before.priority = kGatewayMetric;
  facts.routes.push_back(before);
  CHECK(gateway_in_use(kGateways, facts, kNames) == "b");
  const RouteChanges changes = plan_routes(wanted_by(facts, "b", {cidr("172.16.0.0/12")}), facts);
  CHECK(changes.puts.size() == 4);
  CHECK(changes.drops == std::vector<nl::Route>{before});
}

TEST_CASE("The node's own networks are exempt, the pods' and the gateways' routes are not", "[gateway]") {
  NodeFacts facts = node_1();
  facts = after(facts, plan_routes(wanted_by(facts, "a", {cidr("172.16.0.0/12")}), facts));
  std::erase_if(facts.routes,
                [](const nl::Route& route) { return route.ifindex == kEth0 && !route.gateway; });
  facts.addresses.push_back({.ifindex = kEth0, .cidr = cidr("192.168.78.1/32")});
  const std::vector<Exemption> own = own_networks(facts, kNames);  // by its address, whoever writes the route
  REQUIRE(own.size() == 1);
  CHECK(own[0].range == cidr("192.168.77.0/24"));
  CHECK_FALSE(own[0].expected);
  CHECK(own[0].yields);
}

TEST_CASE("A program that begins anew finds the gateway in use by the routes", "[gateway]") {
  const std::vector<Cidr> ranges{cidr("172.16.0.0/12")};
  CHECK(gateway_in_use(kGateways, node_1(), kNames).empty());
  for (const char* active : {"a", "b"}) {
    const NodeFacts facts = after(node_1(), plan_routes(wanted_by(node_1(), active, ranges), node_1()));
    CHECK(gateway_in_use(kGateways, facts, kNames) == active);
  }
  const NodeFacts none = after(node_1(), plan_routes(wanted_by(node_1(), "none", ranges), node_1()));
  CHECK(
      gateway_in_use(kGateways, none, kNames).empty());  // the route for the overlay's packets does not count
}

TEST_CASE("The first usable address of a link is what is spoken from", "[gateway]") {
  NodeFacts facts = node_1();
  CHECK(facts.address_of(kBridge, IpFamily::kV4) == ip("10.244.1.1"));
  CHECK_FALSE(facts.address_of(kBridge, IpFamily::kV6).has_value());
  facts.addresses.push_back({.ifindex = kBridge, .cidr = cidr("fe80::1/64"), .scope = nl::Scope::kLink});
  CHECK_FALSE(facts.address_of(kBridge, IpFamily::kV6).has_value());
}

}  // namespace
}  // namespace holdfast::gateway
