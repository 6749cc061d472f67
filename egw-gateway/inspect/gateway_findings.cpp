#include "egw-gateway/inspect/gateway_findings.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "common/netlink/route_lookup.h"
#include "egw-gateway/helper/concerns.h"
#include "egw-gateway/inspect/route_text.h"
#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

/// Whether packets can be at fault for it: what readiness does not need does no harm today.
bool needed(const std::string& type) {
  return std::ranges::any_of(kNeededByHelper, [&](const Concern& one) { return one.name == type; });
}

/// What is missing with a rule of ours, and what comes of it.
std::string lack_of(const nl::Rule& rule) {
  const std::string what = "the kernel lacks the rule to table " + std::to_string(rule.table) + ": ";
  if (rule.table == kTransitTable)
    return what + "what other nodes send to the gateway here may leave by the overlay again";
  return what + "no packet finds a gateway, and routes of others count";
}

class Findings {
 public:
  explicit Findings(const GatewayReport& report) : report_(report) {}

  std::vector<Finding> run() {
    if (!report_.in_use()) return {};
    look_at_helper();
    look_at_store();
    if (!report_.state) return std::move(out_);
    look_at_routes();
    for (const Gateway& one : report_.state->gateway.gateways) look_at_gateway(one);
    return std::move(out_);
  }

 private:
  void add(Verdict verdict, std::string what, std::string detail) {
    out_.push_back({verdict, std::move(what), std::move(detail)});
  }
  void look_at_helper();
  void look_at_store();
  void look_at_routes();
  void look_at_foreign_routes();
  void look_at_gateway(const Gateway& one);
  void look_at_tunnels(const Gateway& one, const CoreReport& core);

  const GatewayReport& report_;
  std::vector<Finding> out_;
};

void Findings::look_at_helper() {
  const std::string what = "egw-helper";
  if (!report_.helper) {
    return add(
        Verdict::kWrong, what,
        "does not run here: no route follows when a gateway dies or comes back; start it, or where this node "
        "has left the pool take away what it left: egw-helper --remove");
  }
  const ConditionPage& page = report_.helper->page;
  const std::string process = "runs, process " + std::to_string(report_.helper->pid);
  if (!page.silence.empty()) return add(Verdict::kDoubtful, what, process + "; " + page.silence);
  add(page.ready ? Verdict::kWell : Verdict::kWrong, what,
      process + (page.ready ? ", ready" : ", and is not ready:"));
  for (const UnmetCondition& one : page.unmet) {
    add(needed(one.type) ? Verdict::kWrong : Verdict::kDoubtful, what + ": " + one.type, one.why);
  }
}

void Findings::look_at_store() {
  const std::string what = report_.store.native();
  for (const std::string& note : report_.notes) add(Verdict::kDoubtful, what, note);
  if (report_.state) {
    const std::size_t ranges = report_.routed.ranges.size();
    return add(Verdict::kWell, what,
               "pool " + report_.state->gateway.pool + ", " + std::to_string(ranges) +
                   (ranges == 1 ? " range" : " ranges"));
  }
  add(Verdict::kWrong, what,
      "tells of no EdgeGateway: after a reboot without the cloud packets for the VPC would leave the node in "
      "clear");
}

void Findings::look_at_routes() {
  const std::string what = "routes to gateways";
  std::string lacking;
  for (const nl::Route& route : report_.changes.puts) {
    lacking += (lacking.empty() ? "" : ", ") + route_text(route, report_.link_names);
  }
  if (!lacking.empty()) {
    add(Verdict::kWrong, what, "the kernel lacks " + lacking);
  } else if (!report_.changes.rule_puts.empty()) {
    add(Verdict::kWrong, what, lack_of(report_.changes.rule_puts.front()));
  } else if (report_.active.empty() && !report_.routed.ranges.empty()) {
    add(Verdict::kWrong, what, "no gateway is in use: the ranges are unreachable");
  } else {
    add(Verdict::kWell, what, "as wanted" + (report_.active.empty() ? "" : ", to gateway " + report_.active));
  }
  look_at_foreign_routes();
}

/// Those by which a part of a range would leave the node though nothing exempts it.
void Findings::look_at_foreign_routes() {
  for (const nl::Route& route : routes_passed_over(report_.routed.ranges, report_.facts)) {
    const std::string text = route_text(route, report_.link_names) + " is not egw-helper's";
    if (ranges_come_first(report_.facts, route.dst.family())) {
      add(Verdict::kDoubtful, "routes to gateways",
          text + ", and is passed over; take it away, or tell --exempt=" + route.dst.to_string());
    } else {
      add(Verdict::kWrong, "routes to gateways", text + ", and may win: packets leave by it, in clear");
    }
  }
}

void Findings::look_at_gateway(const Gateway& one) {
  const std::string what = "gateway " + one.name;
  const auto core = report_.cores.find(one.name);
  const auto heard = report_.up.find(one.name);
  if (core == report_.cores.end()) {
    return add(Verdict::kDoubtful, what,
               "no route leads to its pod on " + one.node + " by " + report_.links.overlay + " or " +
                   report_.links.bridge);
  }
  if (heard != report_.up.end() && !heard->second) {
    const bool other = !report_.active.empty() && report_.active != one.name;
    add(Verdict::kDoubtful, what, "is down by BFD, on " + one.node + (other ? "; the other is in use" : ""));
  } else if (heard != report_.up.end()) {
    add(Verdict::kWell, what, "is up, on " + one.node + (one.name == report_.active ? ", in use" : ""));
  }
  look_at_tunnels(one, core->second);
}

void Findings::look_at_tunnels(const Gateway& one, const CoreReport& core) {
  const bool any_up =
      std::ranges::any_of(core.access_points, [](const auto& point) { return point.second.up; });
  for (const auto& [name, point] : core.access_points) {
    if (point.up) continue;
    add(any_up ? Verdict::kDoubtful : Verdict::kWrong, "tunnel " + one.name + " - " + name,
        point.handshake ? "the access point does not answer"
                        : "there was no handshake; see holdfast explain");
  }
}

}  // namespace

std::vector<Finding> gateway_findings(const GatewayReport& report) { return Findings(report).run(); }

}  // namespace holdfast::gateway
