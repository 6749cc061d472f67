#include "egw-gateway/inspect/way_explanation.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/netlink/route_lookup.h"
#include "egw-gateway/inspect/route_text.h"
#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

bool holds(const std::vector<Cidr>& ranges, const IpAddress& address) {
  return std::ranges::any_of(ranges, [&](const Cidr& range) { return range.contains(address); });
}

const Cidr* find_range(const std::vector<Cidr>& ranges, const IpAddress& address) {
  const auto found = std::ranges::find_if(ranges, [&](const Cidr& range) { return range.contains(address); });
  return found == ranges.end() ? nullptr : &*found;
}

bool is_same_way(const nl::Route* meant, const nl::Route* taken) {
  if (meant == nullptr || taken == nullptr) return meant == taken;
  if (meant->type != nl::RouteType::kUnicast || taken->type != nl::RouteType::kUnicast) {
    return meant->type == taken->type;
  }
  return meant->multipath || taken->multipath ||
         (meant->ifindex == taken->ifindex && meant->gateway == taken->gateway);
}

std::string seconds(double value) { return std::to_string(std::lround(value)) + " s"; }

/// Writes the lines of one address. `pool` is the report's.
class Way {
 public:
  Way(const GatewayReport& report, const EdgeGateway& pool, const IpAddress& address,
      const std::vector<KernelWay>& ways)
      : report_(report), pool_(pool), address_(address), ways_(ways) {
    std::ranges::copy_if(report.facts.routes, std::back_inserter(main_),
                         [](const nl::Route& route) { return route.table == nl::kMainTable; });
    if (!ranges_come_first(report.facts, address.family())) return;
    std::ranges::copy_if(report.facts.routes, std::back_inserter(ranges_),
                         [](const nl::Route& route) { return route.table == kRangesTable; });
  }

  Explanation run() {
    if (holds(pool_.pod_cidrs, address_)) return {};
    const Cidr* routed = find_range(report_.routed.ranges, address_);
    if (routed == nullptr) {
      stays_here();
      return std::move(out_);
    }
    const bool pods = holds(pool_.cloud_pod_cidrs, address_);
    line("", address_.to_string() + ": in " + routed->to_string() +
                 (pods ? " of pods in the cloud" : " of the VPC") + ", which pool " + pool_.pool +
                 " reaches by its gateways");
    this_node(*routed);
    kernel();
    helper();
    gateways();
    cloud();
    return std::move(out_);
  }

 private:
  void line(std::string_view indent, const std::string& text) {
    out_.text += std::string(indent) + text + "\n";
  }
  void wrong(const std::string& text) {
    line("    ", "WRONG: " + text);
    out_.well = false;
  }

  void stays_here();
  void this_node(const Cidr& range);
  void kernel();
  void helper();
  void gateways();
  void gateway(const Gateway& one);
  void tunnels(const Gateway& one);
  void cloud();
  /// By our tables and main alone; ways_ tell what other rules and tables make of it.
  [[nodiscard]] const nl::Route* kernel_route() const {
    const nl::Route* first = nl::best_route(ranges_, address_);
    return first != nullptr ? first : nl::best_route(main_, address_);
  }
  void lacks(const Cidr& range);
  [[nodiscard]] std::string state_of(const Gateway& one) const;

  const GatewayReport& report_;
  const EdgeGateway& pool_;
  const IpAddress& address_;
  const std::vector<KernelWay>& ways_;
  std::vector<nl::Route> main_;
  std::vector<nl::Route> ranges_;  // that are looked at before
  Explanation out_;
};

/// In no range, or in a part of one that is exempt.
void Way::stays_here() {
  const bool told = holds(pool_.vpc_cidrs, address_) || holds(pool_.cloud_pod_cidrs, address_);
  const auto exempt = std::ranges::find_if(
      report_.exempt, [&](const Exemption& one) { return one.range.contains(address_); });
  const nl::Route* route = kernel_route();
  const std::string way = route == nullptr ? "no route" : route_text(*route, report_.link_names);
  if (told && exempt != report_.exempt.end()) {
    line("", address_.to_string() + ": stays on the node's own routes, though pool " + pool_.pool +
                 " has it in a range: " + exempt->what + ", " + exempt->range.to_string());
    line("  ", "this node: " + way);
    return;
  }
  line("", address_.to_string() + ": is in no range of pool " + pool_.pool + " (vpcCIDRs " +
               list_text(pool_.vpc_cidrs) + "; cloudPodCIDRs " + list_text(pool_.cloud_pod_cidrs) + ")");
  line("  ", "this node: " + way);
  wrong("no gateway is used for it; if it is of the VPC, its range is missing in the EdgeGateway");
}

void Way::this_node(const Cidr& range) {
  const nl::Route* route = kernel_route();
  const bool ours = route != nullptr && route->protocol == kRouteProtocol;
  std::string text = "this node: " + (route == nullptr ? "no route" : route_text(*route, report_.link_names));
  if (ours && !report_.active.empty() && route->type == nl::RouteType::kUnicast) {
    text += ", to gateway " + report_.active;
  }
  line("  ", text);
  if (route != nullptr && !ours && route->dst.prefix() >= range.prefix()) {
    wrong("this route is not egw-helper's (protocol " + std::to_string(route->protocol) +
          "), and is preferred to its own: packets leave by it, in clear; remove it");
  }
  lacks(range);
  if (ours && route->type == nl::RouteType::kUnicast && report_.active.empty()) {
    wrong("it leads to no gateway of the pool; egw-helper puts it right when it runs");
  }
  const bool closed = ours && route->type == nl::RouteType::kUnreachable;
  if (closed) wrong("no gateway is in use, so the sender is told at once that there is no way");
}

void Way::lacks(const Cidr& range) {
  const std::string cure = "; egw-helper puts it when it runs and is not hindered";
  for (const nl::Route& put : report_.changes.puts) {
    if (put.table != kTransitTable && put.dst == range)
      wrong("the kernel lacks " + route_text(put, report_.link_names) + cure);
  }
  for (const nl::Rule& put : report_.changes.rule_puts) {
    if (put.table == kRangesTable && put.family == range.family())
      wrong("the kernel lacks the rule to table " + std::to_string(put.table) + cure);
  }
  for (const nl::Route& route : routes_passed_over({range}, report_.facts)) {
    if (route.dst.contains(address_) && ranges_come_first(report_.facts, range.family()))
      line("    ", "passed over: " + route_text(route, report_.link_names) + ", which is not egw-helper's");
  }
}

/// Somebody's policy rule before ours, most likely.
void Way::kernel() {
  const nl::Route* meant = kernel_route();
  for (const KernelWay& way : ways_) {
    if (!way.silence.empty()) {
      line("    ", "the kernel does not tell its way for what " + way.sender + " sends: " + way.silence);
    } else if (!is_same_way(meant, way.route ? &*way.route : nullptr)) {
      wrong("the kernel has another way for what " + way.sender +
            " sends: " + (way.route ? route_text(*way.route, report_.link_names) : "no route") +
            "; a policy rule of somebody else's comes before egw-helper's (ip rule): take it away, or give "
            "it " +
            "a number above " + std::to_string(kRangesRulePriority));
    }
  }
}

void Way::helper() {
  if (!report_.helper) {
    return wrong("egw-helper does not run: no route follows when a gateway dies or comes back; start it");
  }
  const ConditionPage& page = report_.helper->page;
  if (!page.silence.empty()) line("    ", "egw-helper runs; " + page.silence);
  for (const UnmetCondition& one : page.unmet) wrong("egw-helper: " + one.type + ": " + one.why);
}

std::string Way::state_of(const Gateway& one) const {
  const auto heard = report_.up.find(one.name);
  if (heard == report_.up.end()) return "whether it is up is not known";
  return heard->second ? "is up by BFD" : "is DOWN by BFD";
}

void Way::gateways() {
  if (pool_.gateways.empty())
    return wrong("pool " + pool_.pool + " has no gateway; see its EdgeGateway's status");
  for (const Gateway& one : pool_.gateways) {
    const bool in_use = one.name == report_.active;
    if (in_use || report_.active.empty()) {
      gateway(one);
    } else {
      const bool reached = report_.cores.contains(one.name);
      line("  ", "gateway " + one.name + ": stands by on " + one.node + "; " + state_of(one) +
                     (reached ? "" : ", and no route leads to its pod"));
    }
  }
}

void Way::gateway(const Gateway& one) {
  const IpAddress& pod = one.pod_addresses.front();
  const std::optional<NextHop> way = way_to(pod, report_.facts, report_.links);
  const char* by = "by no way";
  if (way) by = way->local ? "on this node" : "by the overlay";
  line("  ", "gateway " + one.name + ": pod " + pod.to_string() + " on " + one.node + ", " + by + "; " +
                 state_of(one));
  if (!way) {
    wrong("no route leads to its pod by " + report_.links.overlay_of(pod.family()) + " or " +
          report_.links.bridge + "; holdfast explain " + one.node + " tells more");
  }
  const auto heard = report_.up.find(one.name);
  if (heard != report_.up.end() && !heard->second) {
    wrong("its egw-core does not answer this node by BFD (UDP " + std::to_string(kBfdMultihopPort) +
          "): it is dead, has itself no way to the cloud, or has another key");
  }
  const auto core = report_.cores.find(one.name);
  if (core == report_.cores.end()) return;
  if (!core->second.page.silence.empty()) line("    ", "its page: " + core->second.page.silence);
  for (const UnmetCondition& unmet : core->second.page.unmet)
    wrong("egw-core: " + unmet.type + ": " + unmet.why);
  tunnels(one);
}

void Way::tunnels(const Gateway& one) {
  const CoreReport& core = report_.cores.at(one.name);
  std::vector<AccessPoint> points = pool_.access_points;
  std::ranges::stable_sort(points, std::ranges::greater{}, &AccessPoint::priority);
  for (const AccessPoint& point : points) {
    const auto port = port_of(point, one.tunnel.value_or(0));
    std::string text = "tunnel " + one.name + " - " + point.name + ": to " + point.address.to_string() +
                       " port " + (port ? std::to_string(*port) : "none");
    const auto seen = core.access_points.find(point.name);
    if (seen == core.access_points.end()) {
      line("  ", text + (core.page.silence.empty() ? "; is not made" : "; not known how it fares"));
      if (core.page.silence.empty()) wrong("egw-core has no such tunnel; its log tells why");
      continue;
    }
    const std::optional<double>& age = seen->second.handshake;
    text += seen->second.up ? "; answers" : "; is DOWN";
    line("  ", text + (age ? ", last handshake " + seconds(*age) + " ago" : ", no handshake at all"));
    if (seen->second.up) continue;
    wrong(age ? "the access point does not answer by BFD inside the tunnel: it is dead, or the line to it is "
                "cut"
              : "the access point never took this gateway: UDP to its port is blocked, or it does not know "
                "the key");
  }
  if (pool_.access_points.empty()) wrong("pool " + pool_.pool + " has no access point");
}

void Way::cloud() {
  std::string pods;
  for (const Cidr& range : pool_.pod_cidrs) {
    if (range.family() == address_.family()) pods += (pods.empty() ? "" : ", ") + range.to_string();
  }
  if (pods.empty()) {
    line("  ", "the VPC: has no way back to pods");
    wrong("pool " + pool_.pool + " has no pod range of this family");
  } else {
    line("  ", "the VPC: needs routes to an access point for " + pods +
                   "; whether it has them is told by egw-access there (/readyz?verbose) and by the "
                   "EdgeGateway's status.accessPoints");
  }
  const auto active = std::ranges::find(pool_.gateways, report_.active, &Gateway::name);
  if (active == pool_.gateways.end()) return;
  const auto seen_as = address_of(active->tunnel_addresses, address_.family());
  line("  ",
       "sources: pods are seen by their own addresses, this node itself " +
           (seen_as ? "as " + seen_as->to_string() + "; nothing in the cloud can begin a connection to it"
                    : "is refused: gateway " + active->name + " has no tunnel address of this family"));
}

}  // namespace

Explanation explain_way(const GatewayReport& report, const IpAddress& address,
                        const std::vector<KernelWay>& ways) {
  if (!report.in_use()) return {};
  if (report.state) return Way(report, report.state->gateway, address, ways).run();
  Explanation out{.text = address.to_string() + ": " + report.store.native() +
                          " tells of no EdgeGateway, so no range is known on this node\n",
                  .well = false};
  for (const std::string& note : report.notes) out.text += "    WRONG: " + note + "\n";
  const std::vector<UnmetCondition> unmet =
      report.helper ? report.helper->page.unmet : std::vector<UnmetCondition>{};
  for (const UnmetCondition& one : unmet)
    out.text += "    WRONG: egw-helper: " + one.type + ": " + one.why + "\n";
  if (!report.helper) out.text += "    WRONG: egw-helper does not run\n";
  return out;
}

}  // namespace holdfast::gateway
