#include "common/netlink/route.h"

#include <cerrno>

#include "common/netlink/link.h"
#include "common/netlink/route_lookup.h"
#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::nl {
namespace {

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }
IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

struct RoutingKernel : test::RouteKernel {
  RoutingKernel() {
    VethSpec spec;
    spec.name = "veth0";
    spec.peer_name = "veth1";
    link = create_veth(socket, spec)->index;
    LinkChange up;
    up.up = true;
    Request requests[] = {change_link(find_link(socket, "veth1").value()->index, up),
                          put_address(link, cidr("10.0.0.1/24")),
                          put_address(link, cidr("fd00::1/64"), {.no_dad = true})};
    if (!socket.run_whole(requests)) throw std::runtime_error("cannot set up the link");
  }
  /// The one route to `dst` in `table`, or nullopt.
  std::optional<Route> find(const Cidr& dst, std::uint32_t table = kMainTable) {
    RouteFilter filter;
    filter.table = table;
    filter.family = dst.family();
    std::optional<Route> out;
    const std::vector<Route> routes = list_routes(socket, filter).value();
    for (const Route& route : routes) {
      if (route.dst != dst) continue;
      CHECK_FALSE(out.has_value());
      out = route;
    }
    return out;
  }
  int link = 0;
};

Route route_to(const char* dst) {
  Route route;
  route.dst = cidr(dst);
  return route;
}

TEST_CASE_METHOD(RoutingKernel, "The kernel tells which route it would take, by all its rules and tables",
                 "[netlink]") {
  test::output_of(
      "ip link set lo up && ip route add 10.42.0.0/16 via 10.0.0.2 && ip route add unreachable 10.43.0.0/16 "
      "&& "
      "ip route add 10.42.0.0/16 via 10.0.0.3 table 100 && ip rule add pref 500 fwmark 0x64 lookup 100 && "
      "ip rule add pref 501 from 10.0.0.77 lookup 100 && ip rule add pref 502 to 10.44.0.0/16 prohibit && "
      "ip route add 10.0.7.0/24 dev veth1 && sysctl -qw net.ipv4.conf.all.forwarding=1 "
      "net.ipv4.conf.all.rp_filter=2 && "
      "ip route add fd42::/64 via fd00::2 && ip route add unreachable fd43::/64 && "
      "ip route add fd42::/64 via fd00::3 table 100 && ip -6 rule add pref 500 fwmark 0x64 lookup 100");
  const std::optional<Route> way = find_way(socket, {.to = ip("10.42.7.7")}).value();
  REQUIRE(way.has_value());
  CHECK(way->dst == cidr("10.42.0.0/16"));
  CHECK(way->gateway == ip("10.0.0.2"));
  CHECK(way->ifindex == link);
  CHECK(way->table == kMainTable);
  const std::optional<Route> marked = find_way(socket, {.to = ip("10.42.7.7"), .mark = 0x64}).value();
  REQUIRE(marked.has_value());
  CHECK(marked->gateway == ip("10.0.0.3"));
  CHECK(marked->table == 100);
  CHECK(find_way(socket, {.to = ip("10.42.7.7"), .from = ip("10.0.0.77"), .in_link = link}).value()->table ==
        100);
  CHECK(find_way(socket, {.to = ip("10.42.7.7"), .from = ip("10.0.0.78"), .in_link = link}).value()->table ==
        kMainTable);
  CHECK(find_way(socket, {.to = ip("10.43.7.7")}).value()->type == RouteType::kUnreachable);
  CHECK(find_way(socket, {.to = ip("10.44.7.7")}).value()->type == RouteType::kProhibit);
  CHECK_FALSE(find_way(socket, {.to = ip("10.45.7.7")}).value().has_value());
  CHECK(find_way(socket, {.to = ip("10.42.7.7"), .in_link = 4711}).error().sys_errno == ENODEV);

  CHECK(find_way(socket, {.to = ip("fd42::7")}).value()->gateway == ip("fd00::2"));
  CHECK(find_way(socket, {.to = ip("fd42::7"), .mark = 0x64}).value()->gateway == ip("fd00::3"));
  CHECK(find_way(socket, {.to = ip("fd43::7")}).value()->type == RouteType::kUnreachable);
  CHECK_FALSE(find_way(socket, {.to = ip("fd45::7")}).value().has_value());
}

TEST_CASE_METHOD(RoutingKernel, "A route comes back from the kernel as it was put", "[netlink]") {
  Route route;
  SECTION("through a gateway, with everything") {
    route = route_to("10.42.1.0/24");
    route.gateway = ip("10.0.0.2");
    route.protocol = 77;
    route.priority = 50;
    route.mtu = 1400;
    route.advmss = 1300;
    route.source = ip("10.0.0.1");
    route.scope = Scope::kUniverse;
    route.ifindex = link;
  }
  SECTION("onlink, as flannel writes it") {
    route = route_to("10.42.2.0/24");
    route.gateway = ip("10.42.2.0");
    route.ifindex = link;
    route.onlink = true;
    route.scope = Scope::kUniverse;
  }
  SECTION("without gateway: of scope link") {
    route = route_to("10.42.3.0/24");
    route.ifindex = link;
    route.scope = Scope::kLink;
  }
  SECTION("default route") {
    route = route_to("0.0.0.0/0");
    route.gateway = ip("10.0.0.2");
    route.ifindex = link;
    route.scope = Scope::kUniverse;
  }
  SECTION("blackhole in a table above 255") {
    route = route_to("10.42.4.0/24");
    route.type = RouteType::kBlackhole;
    route.table = 1000;
    route.scope = Scope::kUniverse;
  }
  SECTION("unreachable, high metric") {
    route = route_to("10.42.5.0/24");
    route.type = RouteType::kUnreachable;
    route.priority = 4278198272;
    route.scope = Scope::kUniverse;
  }
  SECTION("IPv6 through a gateway") {
    route = route_to("fd00:42::/64");
    route.gateway = ip("fd00::2");
    route.ifindex = link;
    route.priority = 512;
    route.scope = Scope::kUniverse;
  }
  SECTION("IPv6 onlink") {
    route = route_to("fd00:43::/64");
    route.gateway = ip("fd00:43::");
    route.ifindex = link;
    route.onlink = true;
    route.priority = 1024;
    route.scope = Scope::kUniverse;
  }
  SECTION("IPv6 default route") {
    route = route_to("::/0");
    route.gateway = ip("fd00::2");
    route.ifindex = link;
    route.priority = 1024;
    route.scope = Scope::kUniverse;
  }
  Route without_scope = route;
  without_scope.scope.reset();
  REQUIRE(socket.run(put_route(without_scope)).has_value());
  CHECK(find(route.dst, route.table) == route);
  CHECK(socket.run(put_route(without_scope)).has_value());
  CHECK(socket.run(add_route(without_scope)).error().code == Code::kAlreadyExists);
  CHECK(socket.run(drop_route(without_scope)).has_value());
  CHECK_FALSE(find(route.dst, route.table).has_value());
  CHECK(socket.run(drop_route(without_scope)).has_value());
}

TEST_CASE_METHOD(RoutingKernel, "Putting a route replaces the one of its destination", "[netlink]") {
  Route route = route_to("10.42.1.0/24");
  route.gateway = ip("10.0.0.2");
  REQUIRE(socket.run(put_route(route)).has_value());
  route.gateway = ip("10.0.0.3");
  REQUIRE(socket.run(put_route(route)).has_value());
  CHECK(find(route.dst)->gateway == ip("10.0.0.3"));
}

TEST_CASE_METHOD(RoutingKernel, "Host bits of a destination do not count", "[netlink]") {
  Route route = route_to("10.42.1.9/24");
  route.gateway = ip("10.0.0.2");
  REQUIRE(socket.run(put_route(route)).has_value());
  CHECK(find(cidr("10.42.1.0/24")).has_value());
}

TEST_CASE_METHOD(RoutingKernel, "A drop leaves a route that differs in gateway or protocol", "[netlink]") {
  Route route = route_to("10.42.1.0/24");
  route.gateway = ip("10.0.0.2");
  REQUIRE(socket.run(put_route(route)).has_value());
  Route other = route;
  SECTION("gateway") { other.gateway = ip("10.0.0.3"); }
  SECTION("protocol") { other.protocol = 77; }
  CHECK(socket.run(drop_route(other)).has_value());
  CHECK(find(route.dst).has_value());
}

TEST_CASE_METHOD(RoutingKernel, "A refused route carries the kernel's sentence", "[netlink]") {
  Route route = route_to("10.42.1.0/24");
  route.gateway = ip("192.0.2.1");
  const Status done = socket.run(put_route(route));
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().sys_errno == ENETUNREACH);
  CHECK(done.error().message ==
        "put route 10.42.1.0/24 via 192.0.2.1 (Nexthop has invalid gateway): Network is unreachable");
}

TEST_CASE_METHOD(RoutingKernel, "A route list is narrowed by table, family, link, protocol and type",
                 "[netlink]") {
  Route route = route_to("10.42.1.0/24");
  route.gateway = ip("10.0.0.2");
  route.protocol = 77;
  Route hole = route_to("10.42.2.0/24");
  hole.type = RouteType::kBlackhole;
  Route far = route_to("10.42.3.0/24");
  far.type = RouteType::kBlackhole;
  far.table = 1000;
  Request requests[] = {put_route(route), put_route(hole), put_route(far)};
  REQUIRE(socket.run_whole(requests).has_value());

  struct Case {
    const char* name;
    RouteFilter filter;
    std::vector<Cidr> expected;
  };
  const Cidr prefix = cidr("10.0.0.0/24");
  const Case cases[] = {
      {"main table, IPv4", {.family = IpFamily::kV4}, {prefix, route.dst, hole.dst}},
      {"another table", {.table = 1000}, {far.dst}},
      {"a table that is not there", {.table = 4711}, {}},
      {"one link", {.family = IpFamily::kV4, .ifindex = link}, {prefix, route.dst}},
      {"a link that is not there", {.ifindex = 4711}, {}},
      {"one protocol", {.protocol = 77}, {route.dst}},
      {"one type", {.type = RouteType::kBlackhole}, {hole.dst}},
      {"one type, all tables", {.table = 0, .type = RouteType::kBlackhole}, {hole.dst, far.dst}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      std::vector<Cidr> seen;
      const std::vector<Route> routes = list_routes(socket, c.filter).value();
      for (const Route& r : routes) seen.push_back(r.dst);
      CHECK_THAT(seen, Catch::UnorderedEquals(c.expected));
    }
  }
}

TEST_CASE_METHOD(RoutingKernel, "A route with several next hops is told as such", "[netlink]") {
  test::output_of("ip route add 10.42.1.0/24 nexthop via 10.0.0.2 nexthop via 10.0.0.3");
  const auto route = find(cidr("10.42.1.0/24"));
  REQUIRE(route.has_value());
  CHECK(route->multipath);
  CHECK_FALSE(route->gateway.has_value());
}

}  // namespace
}  // namespace holdfast::nl
