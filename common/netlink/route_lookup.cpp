#include "common/netlink/route_lookup.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "common/netlink/parse.h"
#include "common/netlink/wire.h"

namespace holdfast::nl {
namespace {

Request way_request(const PacketToRoute& packet) {
  rtmsg header{};
  header.rtm_family = packet.to.is_v4() ? AF_INET : AF_INET6;
  header.rtm_dst_len = packet.to.bits();
  if (packet.from) header.rtm_src_len = packet.from->bits();
  header.rtm_flags = RTM_F_FIB_MATCH;
  // IPv6 tells the table by itself, and refuses to be asked for it
  if (packet.to.is_v4()) header.rtm_flags |= RTM_F_LOOKUP_TABLE;
  Writer writer(RTM_GETROUTE, 0, header);
  writer.address(RTA_DST, packet.to);
  if (packet.from) writer.address(RTA_SRC, *packet.from);
  if (packet.in_link != 0) writer.u32(RTA_IIF, static_cast<std::uint32_t>(packet.in_link));
  if (packet.mark != 0) writer.u32(RTA_MARK, packet.mark);
  return {"find the way to " + packet.to.to_string(), std::move(writer).take()};
}

std::optional<RouteType> refusal_of(int sys_errno) {
  if (sys_errno == EHOSTUNREACH) return RouteType::kUnreachable;
  if (sys_errno == EACCES) return RouteType::kProhibit;
  return std::nullopt;
}

}  // namespace

const Route* best_route(std::span<const Route> routes, const IpAddress& address, int ignored_link) {
  const Route* best = nullptr;
  for (const Route& route : routes) {
    if (!route.dst.contains(address) || (ignored_link != 0 && route.ifindex == ignored_link)) continue;
    const bool better = best == nullptr || route.dst.prefix() > best->dst.prefix() ||
                        (route.dst.prefix() == best->dst.prefix() && route.priority < best->priority);
    if (better) best = &route;
  }
  return best;
}

Result<std::optional<Route>> find_way(Socket& socket, const PacketToRoute& packet) {
  const Result<std::optional<Reply>> reply = socket.get(way_request(packet).tolerating(ENETUNREACH));
  if (!reply) {
    const std::optional<RouteType> refused = refusal_of(reply.error().sys_errno);
    if (!refused) return tl::unexpected(reply.error());
    return Route{.dst = Cidr::make(packet.to, packet.to.bits()).value_or(Cidr{}), .type = *refused};
  }
  if (!*reply) return std::nullopt;
  std::optional<Route> route = parse_route((*reply)->header());
  if (!route) return fail(Code::kUnimplemented, "this kernel does not tell which route it takes");
  return route;
}

}  // namespace holdfast::nl
