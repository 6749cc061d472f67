#include "egw-gateway/core/cloud_routes.h"

#include <algorithm>

#include "common/netlink/link.h"
#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

// Of the routes that the kernel makes to the networks of a link.
constexpr std::uint32_t kNetworkMetric6 = 256;

std::uint32_t network_metric(IpFamily family) { return family == IpFamily::kV4 ? 0 : kNetworkMetric6; }

nl::Route route_of(const Cidr& range, std::uint32_t metric) {
  nl::Route out;
  out.dst = range;
  out.protocol = kRouteProtocol;
  out.priority = metric;
  return out;
}

bool is_same_place(const nl::Route& a, const nl::Route& b) {
  return a.dst == b.dst && a.priority == b.priority;
}

bool is_same(const nl::Route& a, const nl::Route& b) {
  if (!is_same_place(a, b) || a.type != b.type || a.protocol != b.protocol) return false;
  // an unreachable route of IPv6 is on a link, lo
  return a.type != nl::RouteType::kUnicast || (a.gateway == b.gateway && a.ifindex == b.ifindex);
}

std::optional<IpAddress> host_of(const EdgeLink& link, IpFamily family) {
  for (const nl::Route& route : link.routes) {
    if (route.dst.prefix() == 0 && route.dst.family() == family && route.gateway) return route.gateway;
  }
  return std::nullopt;
}

}  // namespace

std::vector<nl::Route> cloud_routes(const std::vector<Cidr>& ranges, int ifindex) {
  std::vector<nl::Route> out;
  for (const Cidr& range : ranges) {
    out.push_back(route_of(range, kUnreachableMetric));
    out.back().type = nl::RouteType::kUnreachable;
  }
  if (ifindex == 0) return out;
  for (const Cidr& range : ranges) {
    out.push_back(route_of(range, kGatewayMetric));
    out.back().ifindex = ifindex;
  }
  return out;
}

std::vector<Cidr> EdgeLink::networks() const {
  std::vector<Cidr> out;
  for (const nl::Address& address : addresses) {
    const bool network = address.cidr.prefix() < address.cidr.address().bits();
    if (network && address.scope == nl::Scope::kUniverse) out.push_back(address.cidr.network());
  }
  return out;
}

Result<EdgeLink> read_edge_link(nl::Socket& socket, const std::string& name) {
  HOLDFAST_TRY(const std::optional<nl::Link> link, nl::find_link(socket, name));
  if (!link) {
    return fail(Code::kFailedPrecondition,
                "there is no link " + name + " towards the pool; tell its name by --link");
  }
  EdgeLink out{.ifindex = link->index, .mtu = link->mtu};
  HOLDFAST_TRY(out.addresses, nl::list_addresses(socket, link->index));
  HOLDFAST_TRY(out.routes, nl::list_routes(socket, {.ifindex = link->index}));
  return out;
}

std::vector<nl::Route> host_routes(const EdgeLink& link) {
  std::vector<nl::Route> out;
  for (const Cidr& network : link.networks()) {
    const std::optional<IpAddress> host = host_of(link, network.family());
    if (!host || !network.contains(*host)) continue;
    const std::uint32_t metric = network_metric(network.family());
    nl::Route to_host = route_of(Cidr::make(*host, host->bits()).value_or(network), metric);
    to_host.ifindex = link.ifindex;
    nl::Route to_network = route_of(network, metric);
    to_network.ifindex = link.ifindex;
    to_network.gateway = host;
    out.push_back(to_host);
    out.push_back(to_network);
  }
  return out;
}

RoutePlan plan_cloud_routes(const std::vector<nl::Route>& wanted, const std::vector<nl::Route>& actual) {
  RoutePlan out;
  for (const nl::Route& route : wanted) {
    const auto is_it = [&](const nl::Route& one) { return is_same(one, route); };
    if (std::ranges::none_of(actual, is_it)) out.puts.push_back(route);
  }
  for (const nl::Route& route : actual) {
    const auto takes_its_place = [&](const nl::Route& one) { return is_same_place(one, route); };
    if (std::ranges::none_of(wanted, takes_its_place)) out.drops.push_back(route);
  }
  return out;
}

Result<std::size_t> put_cloud_routes(nl::Socket& socket, const std::vector<nl::Route>& wanted) {
  HOLDFAST_TRY(const std::vector<nl::Route> actual, nl::list_routes(socket, {.protocol = kRouteProtocol}));
  const RoutePlan plan = plan_cloud_routes(wanted, actual);
  std::vector<nl::Request> requests;
  for (const nl::Route& route : plan.puts) requests.push_back(nl::put_route(route));
  for (const nl::Route& route : plan.drops) requests.push_back(nl::drop_route(route));
  HOLDFAST_CHECK(socket.run_whole(requests));
  return requests.size();
}

Result<int> link_in_use(nl::Socket& socket) {
  HOLDFAST_TRY(const std::vector<nl::Route> routes, nl::list_routes(socket, {.protocol = kRouteProtocol}));
  const auto leads = [](const nl::Route& route) { return route.priority == kGatewayMetric; };
  const auto found = std::ranges::find_if(routes, leads);
  return found == routes.end() ? 0 : found->ifindex;
}

}  // namespace holdfast::gateway
