#include "egw-gateway/helper/kernel_routes.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "common/base/first_error.h"
#include "common/netlink/link.h"
#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

bool is_named(const std::string& name, const LinkNames& names) {
  return name == names.overlay || name == names.overlay_v6 || name == names.bridge;
}

bool leads_to(const Cidr& dst, const std::vector<Gateway>& gateways) {
  return std::ranges::any_of(gateways, [&](const Gateway& gateway) {
    return std::ranges::any_of(gateway.pod_addresses,
                               [&](const IpAddress& pod) { return dst.contains(pod); });
  });
}

struct Concern {
  const std::vector<Gateway>& gateways;
  const NodeFacts& facts;
  const LinkNames& names;

  bool operator()(const nl::RouteEvent& event) const {
    const nl::Route& route = event.route;
    const bool in_own_table = route.table == kTransitTable || route.table == kRangesTable;
    if (in_own_table || route.protocol == kRouteProtocol) return true;
    return route.table == nl::kMainTable && leads_to(route.dst, gateways);
  }
  bool operator()(const nl::RuleEvent& event) const { return event.rule.protocol == kRouteProtocol; }
  bool operator()(const nl::LinkEvent& event) const {
    if (!is_named(event.link.name, names)) return false;
    return event.gone || facts.link(event.link.name) != event.link.index;
  }
  bool operator()(const nl::AddressEvent& event) const {
    return std::ranges::any_of(facts.links,
                               [&](const auto& link) { return link.second == event.address.ifindex; });
  }
  bool operator()(const nl::Resync& /*unused*/) const { return true; }
  bool operator()(const nl::NeighbourEvent& /*unused*/) const { return false; }
  bool operator()(const nl::FdbEvent& /*unused*/) const { return false; }
};

}  // namespace

Result<NodeFacts> read_facts(nl::Socket& socket, const LinkNames& names) {
  NodeFacts out;
  for (const std::string& name : {names.overlay, names.overlay_v6, names.bridge}) {
    HOLDFAST_TRY(const std::optional<nl::Link> link, nl::find_link(socket, name));
    if (link) out.links[name] = link->index;
  }
  HOLDFAST_TRY(out.addresses, nl::list_addresses(socket));
  for (const std::uint32_t table : {nl::kMainTable, kTransitTable, kRangesTable}) {
    HOLDFAST_TRY(const std::vector<nl::Route> routes, nl::list_routes(socket, {.table = table}));
    out.routes.insert(out.routes.end(), routes.begin(), routes.end());
  }
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    HOLDFAST_TRY(const std::vector<nl::Rule> rules, nl::list_rules(socket, family));
    std::ranges::copy_if(rules, std::back_inserter(out.rules),
                         [](const nl::Rule& rule) { return rule.protocol == kRouteProtocol; });
  }
  return out;
}

Status apply_routes(nl::Socket& socket, const RouteChanges& changes) {
  std::vector<nl::Request> requests;
  for (const nl::Route& route : changes.puts) requests.push_back(nl::put_route(route));
  for (const nl::Rule& rule : changes.rule_puts) requests.push_back(nl::put_rule(rule));
  for (const nl::Rule& rule : changes.rule_drops) requests.push_back(nl::drop_rule(rule));
  for (const nl::Route& route : changes.drops) requests.push_back(nl::drop_route(route));
  FirstError first;
  for (Status& done : socket.run_all(requests)) first.add(std::move(done));
  return first.result();
}

bool concerned_by(const nl::Event& event, const std::vector<Gateway>& gateways, const NodeFacts& facts,
                  const LinkNames& names) {
  return std::visit(Concern{gateways, facts, names}, event);
}

}  // namespace holdfast::gateway
