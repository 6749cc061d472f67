#include "egw-gateway/inspect/gateway_findings.h"

#include <algorithm>
#include <functional>
#include <string>

#include "egw-gateway/model/gateway_names.h"
#include "test/catch.h"
#include "test/egw-gateway/inspect/report_scene.h"
#include "test/fakes/handbook.h"

namespace holdfast::gateway {
namespace {

using test::foreign_route;
using test::well_report;

/// "WRONG egw-helper: does not run ...", a line each.
std::string text_of(const std::vector<Finding>& findings) {
  std::string out;
  for (const Finding& one : findings) {
    const char* verdict = one.verdict == Verdict::kWell ? "ok" : "??";
    out += std::string(one.verdict == Verdict::kWrong ? "WRONG" : verdict) + " " + one.what + ": " +
           one.detail + "\n";
  }
  return out;
}

TEST_CASE("doctor is content with a node whose gateways are well, and silent without any", "[gateway]") {
  CHECK(text_of(gateway_findings(well_report())) ==
        "ok egw-helper: runs, process 77, ready\n"
        "ok /var/lib/egw/helper.json: pool hangzhou, 5 ranges\n"
        "ok routes to gateways: as wanted, to gateway a\n"
        "ok gateway a: is up, on node1, in use\n"
        "ok gateway b: is up, on node2\n");
  CHECK(gateway_findings({}).empty());
}

struct Ailment {
  const char* name;
  std::function<void(GatewayReport&)> inflict;
  const char* told;
};

const Ailment kAilments[] = {
    {"helper dead", [](GatewayReport& report) { report.helper.reset(); },
     "where this node has left the pool take away what it left: egw-helper --remove"},
    {"helper not to be asked", [](GatewayReport& report) { report.helper->page.silence = "it is mute"; },
     "?? egw-helper: runs, process 77; it is mute"},
    {"helper not ready",
     [](GatewayReport& report) {
       report.helper->page = {.ready = false,
                              .unmet = {{"RulesInPlace", "no nft"}, {"SourceHeard", "no API"}}};
     },
     "WRONG egw-helper: runs, process 77, and is not ready:\nWRONG egw-helper: RulesInPlace: no nft\n"
     "?? egw-helper: SourceHeard: no API\n"},
    {"nothing stored", [](GatewayReport& report) { report.state.reset(); },
     "WRONG /var/lib/egw/helper.json: tells of no EdgeGateway"},
    {"damage", [](GatewayReport& report) { report.notes = {"torn"}; }, "?? /var/lib/egw/helper.json: torn"},
    {"a route is gone",
     [](GatewayReport& report) {
       std::erase_if(report.facts.routes, [](const nl::Route& route) {
         return route.priority == kUnreachableMetric && route.table == kRangesTable;
       });
     },
     "WRONG routes to gateways: the kernel lacks unreachable"},
    {"the rule is gone", [](GatewayReport& report) { report.facts.rules.clear(); },
     "WRONG routes to gateways: the kernel lacks the rule to table 20157"},
    {"the rule before main is gone",
     [](GatewayReport& report) {
       std::erase_if(report.facts.rules, [](const nl::Rule& rule) { return rule.table == kRangesTable; });
       report.facts.routes.push_back(foreign_route("172.16.0.0/24", "192.168.77.9"));
     },
     "WRONG routes to gateways: the kernel lacks the rule to table 20158: no packet finds a gateway, and "
     "routes of others count\nWRONG routes to gateways: 172.16.0.0/24 via 192.168.77.9 dev eth0 is not "
     "egw-helper's, and may win"},
    {"a foreign route",
     [](GatewayReport& report) {
       report.facts.routes.push_back(foreign_route("172.16.0.0/24", "192.168.77.9"));
     },
     "?? routes to gateways: 172.16.0.0/24 via 192.168.77.9 dev eth0 is not egw-helper's, and is passed "
     "over"},
    {"the one that stands by is down", [](GatewayReport& report) { report.up["b"] = false; },
     "?? gateway b: is down by BFD, on node2; the other is in use"},
    {"the one in use is down, and nobody has left it so far",
     [](GatewayReport& report) { report.up["a"] = false; }, "?? gateway a: is down by BFD, on node1\n"},
    {"no way to a gateway", [](GatewayReport& report) { report.cores.erase("b"); },
     "?? gateway b: no route leads to its pod on node2"},
    {"one of two tunnels", [](GatewayReport& report) { report.cores["a"].access_points["two"].up = false; },
     "?? tunnel a - two: the access point does not answer"},
    {"no tunnel at all",
     [](GatewayReport& report) {
       report.cores["a"].access_points = {{"one", {false, std::nullopt}}};
     },
     "WRONG tunnel a - one: there was no handshake"},
};

TEST_CASE("doctor tells what ails a node's gateways", "[gateway]") {
  for (const Ailment& ailment : kAilments) {
    DYNAMIC_SECTION(ailment.name) {
      GatewayReport report = well_report();
      ailment.inflict(report);
      complete(report);
      const std::vector<Finding> findings = gateway_findings(report);
      CHECK_THAT(text_of(findings), Catch::Contains(ailment.told));
      for (const Finding& one : findings) {
        INFO(one.what << ": " << one.detail);
        CHECK((one.verdict == Verdict::kWell || holdfast::test::is_in_handbook(one.what, one.detail)));
      }
    }
  }
}

}  // namespace
}  // namespace holdfast::gateway
