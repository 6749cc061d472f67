#include "egw-gateway/access/pod_table.h"

#include <algorithm>
#include <set>

#include "common/base/first_error.h"
#include "common/netlink/route.h"
#include "common/netlink/rule.h"
#include "egw-gateway/access/backstop.h"
#include "egw-gateway/access/routes/kernel_table.h"
#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

constexpr std::uint8_t kKernelProtocol = 2;  // linux/rtnetlink.h, RTPROT_KERNEL

nl::Rule first_rule(IpFamily family) {
  nl::Rule out;
  out.family = family;
  out.priority = kPodRulePriority;
  out.table = kPodTable;
  out.protocol = kBackstopProtocol;
  return out;
}

nl::Route throw_route(const Cidr& range) {
  nl::Route out{.dst = range};
  out.protocol = kBackstopProtocol;
  out.table = kPodTable;
  out.priority = kPodRouteMetric;
  out.type = nl::RouteType::kThrow;
  return out;
}

bool is_of(const std::vector<Cidr>& ranges, const Cidr& part) {
  return std::ranges::any_of(ranges, [&](const Cidr& range) { return range.contains(part); });
}

/// Of our own; one that holds a whole range takes nothing from it.
std::set<Cidr> thrown(const std::vector<Cidr>& ranges, const std::vector<OwnRange>& own) {
  std::set<Cidr> out;
  for (const OwnRange& each : own) {
    const bool whole = std::ranges::find(ranges, each.range) != ranges.end();
    if (!whole && is_of(ranges, each.range)) out.insert(each.range);
  }
  return out;
}

Status keep_thrown(nl::Socket& socket, const std::set<Cidr>& wanted) {
  HOLDFAST_TRY(const std::vector<nl::Route> routes,
               nl::list_routes(socket, {.table = kPodTable, .protocol = kBackstopProtocol}));
  std::set<Cidr> there;
  for (const nl::Route& route : routes) there.insert(route.dst);
  FirstError first;
  for (const Cidr& range : wanted) {
    if (!there.contains(range)) first.add(socket.run(nl::put_route(throw_route(range))));
  }
  for (const Cidr& range : there) {
    if (!wanted.contains(range)) first.add(socket.run(nl::drop_route(throw_route(range))));
  }
  return first.result();
}

/// A route of main that would win there: more of the same range's that come behind ours would not.
bool is_passed_over(const nl::Route& route, const std::vector<Cidr>& ranges) {
  const std::uint8_t by = route.protocol;
  const bool known =
      by == kPodRouteProtocol || by == kBackstopProtocol || by == kTunnelProtocol || by == kKernelProtocol;
  if (known || !is_of(ranges, route.dst)) return false;
  const bool same = std::ranges::find(ranges, route.dst) != ranges.end();
  return !same || route.priority < kPodRouteMetric;
}

std::string text_of(const nl::Route& route) {
  std::string out = "somebody's route to " + route.dst.to_string();
  if (route.gateway) out += " via " + route.gateway->to_string();
  return out + " is passed over; take it away";
}

bool comes_before(const nl::Rule& rule, const std::vector<Cidr>& ranges) {
  const bool ours = rule.protocol == kBackstopProtocol || rule.protocol == kRouteProtocol;
  const bool some =
      rule.mark_mask != 0 || rule.inverted || rule.src || !rule.iif.empty() || !rule.oif.empty();
  if (ours || some || rule.priority == 0 || rule.priority >= kPodRulePriority) return false;
  const auto concerned = [&](const Cidr& range) {
    return rule.dst ? rule.dst->overlaps(range) : range.family() == rule.family;
  };
  return std::ranges::any_of(ranges, concerned);
}

}  // namespace

Result<std::vector<std::string>> keep_pod_table(nl::Socket& socket, const std::vector<Cidr>& ranges,
                                                const std::vector<OwnRange>& own) {
  FirstError first;
  std::vector<std::string> out;
  first.add(keep_thrown(socket, thrown(ranges, own)));
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    if (std::ranges::find(ranges, family, &Cidr::family) == ranges.end()) continue;
    HOLDFAST_TRY(const std::vector<nl::Rule> rules, nl::list_rules(socket, family));
    const nl::Rule wanted = first_rule(family);
    if (std::ranges::find(rules, wanted) == rules.end()) first.add(socket.run(nl::put_rule(wanted)));
    for (const nl::Rule& rule : rules) {
      if (!comes_before(rule, ranges)) continue;
      out.push_back("somebody's policy rule " + std::to_string(rule.priority) +
                    " comes before the one of pods; give it a priority above " +
                    std::to_string(kPodRulePriority));
    }
  }
  HOLDFAST_TRY(const std::vector<nl::Route> routes, nl::list_routes(socket));
  for (const nl::Route& route : routes) {
    if (is_passed_over(route, ranges)) out.push_back(text_of(route));
  }
  HOLDFAST_CHECK(first.result());
  return out;
}

}  // namespace holdfast::gateway
