#include "egw-gateway/helper/node_routes.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

constexpr std::uint8_t kKernelProtocol = 2;  // linux/rtnetlink.h, RTPROT_KERNEL

bool is_ours(const nl::Route& route) { return route.protocol == kRouteProtocol; }

nl::Route unreachable(const Cidr& range, std::uint32_t table) {
  nl::Route out;
  out.dst = range;
  out.protocol = kRouteProtocol;
  out.table = table;
  out.priority = kUnreachableMetric;
  out.type = nl::RouteType::kUnreachable;
  return out;
}

nl::Route route_by(const Cidr& range, const NextHop& hop, std::uint32_t table) {
  nl::Route out;
  out.dst = range;
  out.gateway = hop.gateway;
  out.ifindex = hop.ifindex;
  out.onlink = hop.onlink;
  out.protocol = kRouteProtocol;
  out.table = table;
  out.priority = kGatewayMetric;
  return out;
}

/// What the kernel has one of: table, destination, metric.
using Place = std::tuple<std::uint32_t, Cidr, std::uint32_t>;
Place place_of(const nl::Route& route) { return {route.table, route.dst, route.priority}; }

bool does_the_same(const nl::Route& a, const nl::Route& b) {
  if (a.type != b.type || a.multipath || b.multipath) return false;
  if (a.type != nl::RouteType::kUnicast) return true;  // IPv6 shows them with a link
  return a.gateway == b.gateway && a.ifindex == b.ifindex && a.onlink == b.onlink;
}

nl::Rule transit_rule(IpFamily family, const LinkNames& names) {
  nl::Rule out;
  out.family = family;
  out.priority = kTransitRulePriority;
  out.iif = names.overlay_of(family);
  out.table = kTransitTable;
  out.protocol = kRouteProtocol;
  return out;
}

nl::Rule ranges_rule(IpFamily family) {
  nl::Rule out;
  out.family = family;
  out.priority = kRangesRulePriority;
  out.table = kRangesTable;
  out.protocol = kRouteProtocol;
  return out;
}

const NextHop* find(const NextHops& hops, IpFamily family) {
  const auto found = hops.find(family);
  return found == hops.end() ? nullptr : &found->second;
}

}  // namespace

int NodeFacts::link(const std::string& name) const {
  const auto found = links.find(name);
  return found == links.end() ? 0 : found->second;
}

std::optional<IpAddress> NodeFacts::address_of(int ifindex, IpFamily family) const {
  for (const nl::Address& address : addresses) {
    const bool usable = address.scope == nl::Scope::kUniverse && !address.tentative && !address.dad_failed;
    if (address.ifindex == ifindex && address.cidr.family() == family && usable)
      return address.cidr.address();
  }
  return std::nullopt;
}

std::optional<NextHop> way_to(const IpAddress& pod, const NodeFacts& facts, const LinkNames& names) {
  const nl::Route* best = nullptr;
  for (const nl::Route& route : facts.routes) {
    if (route.table != nl::kMainTable || is_ours(route) || !route.dst.contains(pod)) continue;
    const bool better = best == nullptr || route.dst.prefix() > best->dst.prefix() ||
                        (route.dst.prefix() == best->dst.prefix() && route.priority < best->priority);
    if (better) best = &route;
  }
  if (best == nullptr || best->type != nl::RouteType::kUnicast || best->multipath) return std::nullopt;
  if (best->ifindex == 0) return std::nullopt;
  if (best->ifindex == facts.link(names.bridge) && !best->gateway) {
    return NextHop{best->ifindex, pod, false, true};
  }
  if (best->ifindex == facts.link(names.overlay_of(pod.family())) && best->gateway) {
    return NextHop{best->ifindex, *best->gateway, true, false};
  }
  return std::nullopt;
}

NextHops ways_to(const Gateway& gateway, const NodeFacts& facts, const LinkNames& names) {
  NextHops out;
  for (const IpAddress& address : gateway.pod_addresses) {
    if (const auto way = way_to(address, facts, names)) out.emplace(address.family(), *way);
  }
  return out;
}

std::vector<Exemption> own_networks(const NodeFacts& facts, const LinkNames& names) {
  const int ours[] = {facts.link(names.overlay), facts.link(names.overlay_v6), facts.link(names.bridge)};
  const auto is_ours = [&](int ifindex) { return std::ranges::find(ours, ifindex) != std::end(ours); };
  std::set<Cidr> networks;
  for (const nl::Route& route : facts.routes) {
    const bool connected = route.table == nl::kMainTable && route.protocol == kKernelProtocol &&
                           route.type == nl::RouteType::kUnicast && !route.gateway && route.dst.prefix() != 0;
    if (connected && !is_ours(route.ifindex)) networks.insert(route.dst.network());
  }
  // some DHCP clients write the route themselves
  for (const nl::Address& address : facts.addresses) {
    const unsigned prefix = address.cidr.prefix();
    const bool network = prefix != 0 && prefix != address.cidr.address().bits();
    if (network && !is_ours(address.ifindex)) networks.insert(address.cidr.network());
  }
  std::vector<Exemption> out;
  out.reserve(networks.size());
  for (const Cidr& network : networks) {
    out.push_back({.range = network, .what = "a network of this node", .yields = true});
  }
  return out;
}

std::vector<Exemption> node_exemptions(const EdgeGateway& gateway, const std::vector<Cidr>& exempt,
                                       const std::vector<IpAddress>& servers, const NodeFacts& facts,
                                       const LinkNames& names) {
  std::vector<Exemption> out = exemptions(gateway);
  for (const Cidr& range : exempt) out.push_back({range, "exempt on this node", true});
  for (const IpAddress& server : servers) {
    out.push_back({Cidr::make(server, server.bits()).value_or(Cidr{}), "the API server", true});
  }
  const std::vector<Exemption> own = own_networks(facts, names);
  out.insert(out.end(), own.begin(), own.end());
  return out;
}

std::vector<nl::Route> routes_passed_over(const std::vector<Cidr>& ranges, const NodeFacts& facts) {
  std::vector<nl::Route> out;
  for (const nl::Route& route : facts.routes) {
    if (route.table != nl::kMainTable || is_ours(route)) continue;
    const bool within =
        std::ranges::any_of(ranges, [&](const Cidr& range) { return range.contains(route.dst); });
    if (within) out.push_back(route);
  }
  return out;
}

bool ranges_come_first(const NodeFacts& facts, IpFamily family) {
  return std::ranges::find(facts.rules, ranges_rule(family)) != facts.rules.end();
}

NextHops local_ways(const std::vector<Gateway>& gateways, const NodeFacts& facts, const LinkNames& names) {
  for (const Gateway& one : gateways) {
    NextHops ways = ways_to(one, facts, names);
    std::erase_if(ways, [](const auto& way) { return !way.second.local; });
    if (!ways.empty()) return ways;
  }
  return {};
}

NodeRanges node_ranges(const EdgeGateway& gateway, const RoutedRanges& own) {
  return {own.ranges, routed_ranges(gateway, exemptions(gateway)).ranges};
}

RoutesWanted routes_wanted(const NodeRanges& ranges, const NextHops& active, const NextHops& local,
                           const LinkNames& names) {
  RoutesWanted out;
  for (const std::uint32_t table : {kRangesTable, nl::kMainTable}) {
    for (const Cidr& range : ranges.own) out.routes.push_back(unreachable(range, table));
  }
  for (const Cidr& range : ranges.other) {
    const NextHop* here = find(local, range.family());
    out.routes.push_back(here == nullptr ? unreachable(range, kTransitTable)
                                         : route_by(range, *here, kTransitTable));
  }
  for (const Cidr& range : ranges.own) {
    const NextHop* hop = find(active, range.family());
    if (hop != nullptr) out.routes.push_back(route_by(range, *hop, kRangesTable));
  }
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    const auto used = [&](const std::vector<Cidr>& list) {
      return std::ranges::find(list, family, &Cidr::family) != list.end();
    };
    if (used(ranges.other)) out.rules.push_back(transit_rule(family, names));
    if (used(ranges.own)) out.rules.push_back(ranges_rule(family));
  }
  return out;
}

RouteChanges plan_routes(const RoutesWanted& wanted, const NodeFacts& facts) {
  RouteChanges out;
  // IPv6 may have several in one place, of which one is wanted
  std::multimap<Place, const nl::Route*> there;
  for (const nl::Route& actual : facts.routes) {
    if (is_ours(actual)) there.emplace(place_of(actual), &actual);
  }
  std::map<Place, const nl::Route*> to_be;
  std::set<Place> put;
  for (const nl::Route& route : wanted.routes) {
    to_be[place_of(route)] = &route;
    const auto [first, last] = there.equal_range(place_of(route));
    const bool stands =
        std::any_of(first, last, [&](const auto& entry) { return does_the_same(*entry.second, route); });
    if (stands) continue;
    out.puts.push_back(route);
    put.insert(place_of(route));
  }
  for (const nl::Route& actual : facts.routes) {
    if (!is_ours(actual) || put.contains(place_of(actual))) continue;  // what is put replaces it
    const auto wanted_there = to_be.find(place_of(actual));
    if (wanted_there == to_be.end() || !does_the_same(actual, *wanted_there->second))
      out.drops.push_back(actual);
  }
  for (const nl::Rule& rule : wanted.rules) {
    if (std::ranges::find(facts.rules, rule) == facts.rules.end()) out.rule_puts.push_back(rule);
  }
  for (const nl::Rule& rule : facts.rules) {
    if (std::ranges::find(wanted.rules, rule) == wanted.rules.end()) out.rule_drops.push_back(rule);
  }
  return out;
}

std::string gateway_in_use(const std::vector<Gateway>& gateways, const NodeFacts& facts,
                           const LinkNames& names) {
  // in main where an earlier version put them
  for (const std::uint32_t table : {kRangesTable, nl::kMainTable}) {
    for (const Gateway& gateway : gateways) {
      const NextHops ways = ways_to(gateway, facts, names);
      for (const auto& way : ways) {
        const nl::Route by_it = route_by(Cidr{}, way.second, table);
        const bool in_use = std::ranges::any_of(facts.routes, [&](const nl::Route& route) {
          return is_ours(route) && route.table == table && route.dst.family() == way.first &&
                 does_the_same(route, by_it);
        });
        if (in_use) return gateway.name;
      }
    }
  }
  return "";
}

}  // namespace holdfast::gateway
