#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/route.h"
#include "common/netlink/socket.h"

namespace holdfast::nl {

/// The route of a main table by which `address` is reached: of the longest prefix, then the lowest metric.
/// Those by `ignored_link` (0: none) do not count. nullptr when there is none.
[[nodiscard]] const Route* best_route(std::span<const Route> routes, const IpAddress& address,
                                      int ignored_link = 0);

/// A packet that routing is asked about.
struct PacketToRoute {
  IpAddress to;
  std::optional<IpAddress> from = std::nullopt;  ///< unset: the kernel's choice; needed with `in_link`
  int in_link = 0;                               ///< by which it comes; 0: it begins here
  std::uint32_t mark = 0;
};

/// The route by which the kernel would send the packet, by all its policy rules and tables. One that refuses
/// it is told by `type` alone: kUnreachable or kProhibit. nullopt: there is none.
/// Source: rtnetlink(7), RTM_GETROUTE; RTM_F_FIB_MATCH (kernel 4.14). Errors: the kernel's; EXDEV: no packet
/// with that source is taken by that link; EINVAL also for a route of type blackhole.
Result<std::optional<Route>> find_way(Socket& socket, const PacketToRoute& packet);

}  // namespace holdfast::nl
