#include "egw-gateway/inspect/way_explanation.h"

#include <functional>

#include "egw-gateway/model/gateway_names.h"
#include "test/catch.h"
#include "test/egw-gateway/inspect/report_scene.h"

namespace holdfast::gateway {
namespace {

using test::foreign_route;
using test::well_report;

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

TEST_CASE("The way to an address of the VPC is told hop by hop", "[gateway]") {
  const Explanation told = explain_way(well_report(), ip("172.16.0.5"));
  INFO(told.text);
  CHECK(told.well);
  CHECK(told.text.starts_with(
      "172.16.0.5: in 172.16.0.0/14 of the VPC, which pool hangzhou reaches by its gateways\n"
      "  this node: 172.16.0.0/14 via 10.244.1.0 dev flannel.1 onlink metric 37 table 20158, to gateway a\n"
      "  gateway a: pod 10.244.1.7 on node1, by the overlay; is up by BFD\n"
      "  tunnel a - one: to 203.0.113.1 port 51827; answers, last handshake 12 s ago\n"
      "  tunnel a - two: to 203.0.113.2 port 51827; answers, last handshake 90 s ago\n"
      "  gateway b: stands by on node2; is up by BFD\n"
      "  the VPC: needs routes to an access point for 10.244.0.0/16;"));
  CHECK_THAT(told.text, Catch::Contains("this node itself as 198.18.0.7"));
  CHECK_THAT(explain_way(well_report(), ip("10.200.1.1")).text,
             Catch::Contains("in 10.200.0.0/16 of pods in the cloud"));
}

TEST_CASE("What the kernel makes of it is told where it differs from what is meant", "[gateway]") {
  const GatewayReport report = well_report();
  nl::Route taken;
  for (const nl::Route& route : report.facts.routes) {
    if (route.table == kRangesTable && route.priority == kGatewayMetric &&
        route.dst.contains(ip("172.16.0.5")))
      taken = route;
  }
  REQUIRE(taken.gateway.has_value());
  const Explanation same =
      explain_way(report, ip("172.16.0.5"), {{"this node", taken}, {"a pod here", taken}});
  INFO(same.text);
  CHECK(same.well);
  CHECK(same.text == explain_way(report, ip("172.16.0.5")).text);

  nl::Route other = foreign_route("0.0.0.0/0", "192.168.77.9");
  other.table = 100;
  nl::Route refused;
  refused.type = nl::RouteType::kUnreachable;
  for (const KernelWay& way :
       {KernelWay{"a pod here", other}, KernelWay{"a pod here", refused}, KernelWay{"a pod here"}}) {
    const Explanation told = explain_way(report, ip("172.16.0.5"), {{"this node", taken}, way});
    CHECK_FALSE(told.well);
    CHECK_THAT(told.text, Catch::Contains("WRONG: the kernel has another way for what a pod here sends: ") &&
                              !Catch::Contains("what this node sends"));
  }
  CHECK(explain_way(report, ip("172.16.0.5"), {{"a pod here", std::nullopt, "EXDEV"}}).well);
}

/// One thing that is broken, and how it is told.
struct Ailment {
  const char* name;
  std::function<void(GatewayReport&)> inflict;
  const char* told;
};

void drop_ours(GatewayReport& report, std::uint32_t metric) {
  std::erase_if(report.facts.routes, [&](const nl::Route& route) {
    return route.protocol == kRouteProtocol && route.priority == metric;
  });
}

const Ailment kAilments[] = {
    {"helper dead", [](GatewayReport& report) { report.helper.reset(); }, "egw-helper does not run"},
    {"helper in trouble",
     [](GatewayReport& report) {
       report.helper->page.unmet = {{"RulesInPlace", "nft is gone"}};
     },
     "egw-helper: RulesInPlace: nft is gone"},
    {"a foreign route, and the rule is gone",
     [](GatewayReport& report) {
       report.facts.rules.clear();
       report.facts.routes.push_back(foreign_route("172.16.0.0/24", "192.168.77.9"));
     },
     "this route is not egw-helper's (protocol 3)"},
    {"the rule is gone", [](GatewayReport& report) { report.facts.rules.clear(); },
     "the kernel lacks the rule to table 20158"},
    {"a foreign route of the same range, and the rule is gone",
     [](GatewayReport& report) {
       report.facts.rules.clear();
       report.facts.routes.push_back(foreign_route("172.16.0.0/14", "192.168.77.9"));
     },
     "this route is not egw-helper's (protocol 3)"},
    {"the route was taken away",
     [](GatewayReport& report) {
       std::erase_if(report.facts.routes, [](const nl::Route& route) {
         return route.priority == kGatewayMetric && route.dst.contains(ip("172.16.0.5"));
       });
     },
     "the kernel lacks 172.16.0.0/14 via 10.244.1.0 dev flannel.1 onlink metric 37 table 20158"},
    {"nothing fails closed", [](GatewayReport& report) { drop_ours(report, kUnreachableMetric); },
     "the kernel lacks unreachable 172.16.0.0/14 metric 1000000 table 20158"},
    {"no live gateway",
     [](GatewayReport& report) {
       drop_ours(report, kGatewayMetric);
       report.up = {{"a", false}, {"b", false}};
     },
     "no gateway is in use, so the sender is told at once"},
    {"BFD of both is down",
     [](GatewayReport& report) {
       drop_ours(report, kGatewayMetric);
       report.up = {{"a", false}, {"b", false}};
     },
     "its egw-core does not answer this node by BFD (UDP 4784)"},
    {"the gateway's node is not reached by the overlay",
     [](GatewayReport& report) {
       drop_ours(report, kGatewayMetric);
       std::erase_if(report.facts.routes, [](const nl::Route& route) { return route.ifindex == 4; });
       report.cores.clear();
     },
     "no route leads to its pod by flannel.1 or cni0"},
    {"a tunnel without handshake",
     [](GatewayReport& report) {
       report.cores["a"].access_points["one"] = {false, std::nullopt};
     },
     "the access point never took this gateway"},
    {"an access point that is dead",
     [](GatewayReport& report) {
       report.cores["a"].access_points["one"] = {false, 300};
     },
     "the access point does not answer by BFD inside the tunnel"},
    {"a tunnel that is not made", [](GatewayReport& report) { report.cores["a"].access_points.erase("two"); },
     "egw-core has no such tunnel"},
    {"egw-core in trouble",
     [](GatewayReport& report) {
       report.cores["a"].page.unmet = {{"KeyUsable", "no key"}};
     },
     "egw-core: KeyUsable: no key"},
    {"no gateway at all",
     [](GatewayReport& report) {
       report.state->gateway.gateways.clear();
       drop_ours(report, kGatewayMetric);
     },
     "pool hangzhou has no gateway"},
};

TEST_CASE("What is broken on the way is told where it is", "[gateway]") {
  for (const Ailment& ailment : kAilments) {
    DYNAMIC_SECTION(ailment.name) {
      GatewayReport report = well_report();
      CHECK_THAT(explain_way(report, ip("172.16.0.5")).text, !Catch::Contains(ailment.told));
      ailment.inflict(report);
      complete(report);
      const Explanation told = explain_way(report, ip("172.16.0.5"));
      CHECK_FALSE(told.well);
      CHECK_THAT(told.text, Catch::Contains(std::string("    WRONG: ") + ailment.told));
    }
  }
}

TEST_CASE("A route that is passed over is told, and is no fault of the way", "[gateway]") {
  GatewayReport report = well_report();
  report.facts.routes.push_back(foreign_route("172.16.0.0/24", "192.168.77.9"));
  complete(report);
  const Explanation told = explain_way(report, ip("172.16.0.5"));
  CHECK(told.well);
  CHECK_THAT(told.text,
             Catch::Contains("    passed over: 172.16.0.0/24 via 192.168.77.9 dev eth0, which is not"));
  CHECK_THAT(explain_way(report, ip("172.16.1.5")).text, !Catch::Contains("passed over"));
}

TEST_CASE("An address that no gateway is used for is told apart from one that stays here", "[gateway]") {
  const GatewayReport report = well_report();
  const Explanation outside = explain_way(report, ip("203.0.113.77"));
  CHECK_FALSE(outside.well);
  CHECK_THAT(outside.text,
             Catch::Contains(
                 "is in no range of pool hangzhou (vpcCIDRs 172.16.0.0/12; cloudPodCIDRs 10.200.0.0/16)") &&
                 Catch::Contains("this node: default via 192.168.77.254 dev eth0"));
  const Explanation exempt = explain_way(report, ip("172.20.0.1"));
  CHECK(exempt.well);
  CHECK_THAT(exempt.text,
             Catch::Contains("stays on the node's own routes") && Catch::Contains("172.20.0.0/16"));
  CHECK(explain_way(report, ip("10.244.3.9")).text.empty());
}

TEST_CASE("A node without a gateway says nothing, one whose state is lost says so", "[gateway]") {
  CHECK(explain_way(GatewayReport{}, ip("172.16.0.5")).text.empty());
  GatewayReport lost{.store = "/var/lib/egw/helper.json", .helper = HelperRun{.pid = 7}};
  lost.notes = {"it is torn"};
  const Explanation told = explain_way(lost, ip("172.16.0.5"));
  CHECK_FALSE(told.well);
  CHECK_THAT(told.text, Catch::Contains("/var/lib/egw/helper.json tells of no EdgeGateway") &&
                            Catch::Contains("WRONG: it is torn"));
}

}  // namespace
}  // namespace holdfast::gateway
