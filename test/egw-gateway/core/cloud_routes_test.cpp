#include "egw-gateway/core/cloud_routes.h"

#include "egw-gateway/model/gateway_names.h"
#include "test/catch.h"

namespace holdfast::gateway {
namespace {

Cidr cidr(const std::string& text) { return Cidr::parse(text).value(); }
IpAddress ip(const std::string& text) { return IpAddress::parse(text).value(); }

const std::vector<Cidr> kRanges{cidr("172.16.0.0/12"), cidr("fd00:172::/32")};

EdgeLink edge() {
  EdgeLink out{.ifindex = 2, .mtu = 1450};
  nl::Address address;
  address.cidr = cidr("10.244.1.7/24");
  out.addresses.push_back(address);
  nl::Route route;
  route.dst = cidr("0.0.0.0/0");
  route.gateway = ip("10.244.1.1");
  route.ifindex = 2;
  out.routes.push_back(route);
  return out;
}

TEST_CASE("Each range is unreachable, and leads to a tunnel when there is one", "[egw-core]") {
  const std::vector<nl::Route> closed = cloud_routes(kRanges, 0);
  REQUIRE(closed.size() == 2);
  for (const nl::Route& route : closed) {
    CHECK(route.type == nl::RouteType::kUnreachable);
    CHECK(route.priority == kUnreachableMetric);
    CHECK(route.protocol == kRouteProtocol);
  }
  const std::vector<nl::Route> open = cloud_routes(kRanges, 7);
  REQUIRE(open.size() == 4);
  CHECK(open[2].ifindex == 7);
  CHECK(open[2].priority == kGatewayMetric);
}

TEST_CASE("From one tunnel to another takes a replacement of each range's route, and nothing goes",
          "[egw-core]") {
  const RoutePlan plan = plan_cloud_routes(cloud_routes(kRanges, 8), cloud_routes(kRanges, 7));
  CHECK(plan.puts.size() == 2);
  CHECK(plan.drops.empty());
  CHECK(plan_cloud_routes(cloud_routes(kRanges, 7), cloud_routes(kRanges, 7)).empty());
}

TEST_CASE("What is not wanted any more goes", "[egw-core]") {
  const RoutePlan plan = plan_cloud_routes(cloud_routes(kRanges, 0), cloud_routes(kRanges, 7));
  CHECK(plan.puts.empty());
  REQUIRE(plan.drops.size() == 2);
  CHECK(plan.drops[0].priority == kGatewayMetric);
}

TEST_CASE("An unreachable route counts as it is, whatever link the kernel puts it on", "[egw-core]") {
  std::vector<nl::Route> actual = cloud_routes(kRanges, 0);
  actual[1].ifindex = 1;
  CHECK(plan_cloud_routes(cloud_routes(kRanges, 0), actual).empty());
}

TEST_CASE("The pod's own network is reached by its host", "[egw-core]") {
  const std::vector<nl::Route> routes = host_routes(edge());
  REQUIRE(routes.size() == 2);
  CHECK(routes[0].dst == cidr("10.244.1.1/32"));
  CHECK_FALSE(routes[0].gateway.has_value());
  CHECK(routes[1].dst == cidr("10.244.1.0/24"));
  CHECK(routes[1].gateway == ip("10.244.1.1"));
  CHECK(routes[1].priority == 0);
  CHECK(edge().networks() == std::vector{cidr("10.244.1.0/24")});
}

TEST_CASE("Nothing is sent by a host that no route tells, or that is in no network of the pod",
          "[egw-core]") {
  EdgeLink link = edge();
  SECTION("no default route") { link.routes.clear(); }
  SECTION("a host elsewhere") { link.routes[0].gateway = ip("169.254.1.1"); }
  SECTION("an address without network") { link.addresses[0].cidr = cidr("10.244.1.7/32"); }
  CHECK(host_routes(link).empty());
}

}  // namespace
}  // namespace holdfast::gateway
