#include "common/netlink/route.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <utility>

#include "common/netlink/parse.h"
#include "common/netlink/wire.h"

namespace holdfast::nl {
namespace {

constexpr std::uint32_t kHighestShortTable = 255;  // above it only RTA_TABLE has room

std::string name_of(std::string_view verb, const Route& route) {
  std::string out = std::string(verb) + " route " + route.dst.to_string();
  if (route.gateway) out += " via " + route.gateway->to_string();
  return out;
}

Scope default_scope(const Route& route) {
  const bool direct = route.dst.is_v4() && !route.gateway && route.type == RouteType::kUnicast;
  return direct ? Scope::kLink : Scope::kUniverse;
}

std::uint8_t short_table(std::uint32_t table) {
  return table <= kHighestShortTable ? static_cast<std::uint8_t>(table) : std::uint8_t{RT_TABLE_UNSPEC};
}

Request route_request(int type, int flags, std::string_view verb, const Route& route, Scope scope) {
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(address_family(route.dst.family()));
  header.rtm_dst_len = route.dst.prefix();
  header.rtm_table = short_table(route.table);
  header.rtm_protocol = route.protocol;
  header.rtm_scope = static_cast<std::uint8_t>(scope);
  header.rtm_type = static_cast<std::uint8_t>(route.type);
  if (route.onlink) header.rtm_flags |= RTNH_F_ONLINK;
  Writer writer(type, flags, header);
  writer.u32(RTA_TABLE, route.table);
  if (route.dst.prefix() > 0) writer.address(RTA_DST, route.dst.network().address());
  if (route.gateway) writer.address(RTA_GATEWAY, *route.gateway);
  if (route.ifindex != 0) writer.u32(RTA_OIF, static_cast<std::uint32_t>(route.ifindex));
  if (route.priority != 0) writer.u32(RTA_PRIORITY, route.priority);
  if (route.source) writer.address(RTA_PREFSRC, *route.source);
  writer.nest(RTA_METRICS, [&] {
    if (route.mtu != 0) writer.u32(RTAX_MTU, route.mtu);
    if (route.advmss != 0) writer.u32(RTAX_ADVMSS, route.advmss);
  });
  return {name_of(verb, route), std::move(writer).take()};
}

Result<std::vector<Route>> list_family(Socket& socket, IpFamily family, const RouteFilter& filter) {
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(address_family(family));
  header.rtm_table = short_table(filter.table);
  header.rtm_protocol = filter.protocol.value_or(0);
  if (filter.type) header.rtm_type = static_cast<std::uint8_t>(*filter.type);
  Writer writer(RTM_GETROUTE, 0, header);
  if (filter.table != 0) writer.u32(RTA_TABLE, filter.table);
  if (filter.ifindex != 0) writer.u32(RTA_OIF, static_cast<std::uint32_t>(filter.ifindex));
  Request request("list routes", std::move(writer).take());
  // ENOENT: no such table; ENODEV: no such link
  request = std::move(request).tolerating(ENOENT).tolerating(ENODEV);
  return collect<Route>(socket, std::move(request), [&](const nlmsghdr* message) {
    std::optional<Route> route = parse_route(message);
    // a kernel before 4.20 knows no filter
    const bool wanted = route && (filter.table == 0 || route->table == filter.table) &&
                        (filter.ifindex == 0 || route->ifindex == filter.ifindex) &&
                        (!filter.protocol || route->protocol == *filter.protocol) &&
                        (!filter.type || route->type == *filter.type);
    if (!wanted) route.reset();
    return route;
  });
}

}  // namespace

std::optional<Route> parse_route(const nlmsghdr* message) {
  const auto* header = header_of<rtmsg>(message);
  if (header == nullptr || (header->rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;
  if (header->rtm_family != AF_INET && header->rtm_family != AF_INET6) return std::nullopt;
  const Attributes attributes(message, sizeof *header);
  const IpFamily family = header->rtm_family == AF_INET ? IpFamily::kV4 : IpFamily::kV6;
  const std::optional<Cidr> dst =
      to_cidr(attributes.address(RTA_DST).value_or(unspecified_address(family)), header->rtm_dst_len);
  if (!dst) return std::nullopt;

  Route route;
  route.dst = *dst;
  route.gateway = attributes.address(RTA_GATEWAY);
  route.ifindex = attributes.index(RTA_OIF);
  route.onlink = (header->rtm_flags & RTNH_F_ONLINK) != 0;
  route.scope = static_cast<Scope>(header->rtm_scope);
  route.protocol = header->rtm_protocol;
  route.table = attributes.u32(RTA_TABLE).value_or(header->rtm_table);
  route.priority = attributes.u32(RTA_PRIORITY).value_or(0);
  const Attributes metrics(attributes.find(RTA_METRICS));
  route.mtu = metrics.u32(RTAX_MTU).value_or(0);
  route.advmss = metrics.u32(RTAX_ADVMSS).value_or(0);
  route.type = static_cast<RouteType>(header->rtm_type);
  route.source = attributes.address(RTA_PREFSRC);
  route.multipath = attributes.has(RTA_MULTIPATH);
  return route;
}

Result<std::vector<Route>> list_routes(Socket& socket, const RouteFilter& filter) {
  if (filter.family) return list_family(socket, *filter.family, filter);
  HOLDFAST_TRY(std::vector<Route> routes, list_family(socket, IpFamily::kV4, filter));
  HOLDFAST_TRY(std::vector<Route> routes6, list_family(socket, IpFamily::kV6, filter));
  routes.insert(routes.end(), routes6.begin(), routes6.end());
  return routes;
}

Request put_route(const Route& route) {
  return route_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, "put", route,
                       route.scope.value_or(default_scope(route)));
}

Request add_route(const Route& route) {
  return route_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "add", route,
                       route.scope.value_or(default_scope(route)));
}

Request drop_route(const Route& route) {
  Request request = route_request(RTM_DELROUTE, 0, "drop", route, route.scope.value_or(Scope::kNowhere));
  return std::move(request).tolerating(ESRCH).tolerating(ENODEV);
}

}  // namespace holdfast::nl
