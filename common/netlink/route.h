#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/address.h"
#include "common/netlink/request.h"
#include "common/netlink/socket.h"

namespace holdfast::nl {

/// Source: linux/rtnetlink.h, RTN_*.
enum class RouteType : std::uint8_t {
  kUnicast = 1,
  kLocal = 2,
  kBroadcast = 3,
  kAnycast = 4,
  kMulticast = 5,
  kBlackhole = 6,
  kUnreachable = 7,
  kProhibit = 8,
  kThrow = 9,
};

inline constexpr std::uint32_t kMainTable = 254;
inline constexpr std::uint32_t kLocalTable = 255;
/// Source: linux/rtnetlink.h, RTPROT_*; 2 kernel, 3 boot (what ip-route(8) writes), 4 static.
inline constexpr std::uint8_t kBootProtocol = 3;

struct Route {
  Cidr dst;  ///< the network, 0.0.0.0/0 or ::/0 for the default route
  std::optional<IpAddress> gateway = std::nullopt;
  int ifindex = 0;
  bool onlink = false;  ///< the gateway is on the link though no route says so
  /// Unset in a put: link for a route without gateway, else universe. IPv6 has none: always kUniverse in a
  /// list.
  std::optional<Scope> scope = std::nullopt;
  std::uint8_t protocol = kBootProtocol;
  std::uint32_t table = kMainTable;
  std::uint32_t priority = 0;  ///< metric; 0 is the default: 0 in IPv4, 1024 in IPv6
  std::uint32_t mtu = 0;       ///< bytes; 0: the link's
  std::uint32_t advmss = 0;    ///< bytes; 0: derived
  RouteType type = RouteType::kUnicast;
  std::optional<IpAddress> source = std::nullopt;  ///< preferred source address
  bool multipath = false;  ///< only in lists: several next hops, of which gateway and ifindex show none

  bool operator==(const Route&) const = default;
};

struct RouteFilter {
  std::uint32_t table = kMainTable;  ///< 0: all tables
  std::optional<IpFamily> family = std::nullopt;
  int ifindex = 0;                                      ///< 0: all
  std::optional<std::uint8_t> protocol = std::nullopt;  ///< unset: all
  std::optional<RouteType> type = std::nullopt;
};
Result<std::vector<Route>> list_routes(Socket& socket, const RouteFilter& filter = {});

/// Replaces the route of the same destination, table and priority, if there is one.
Request put_route(const Route& route);
/// The same, but fails with kAlreadyExists when such a route is there.
Request add_route(const Route& route);
/// Dropping one that is not there succeeds. A gateway, link, type or protocol that is set must agree; an
/// unset scope agrees with any.
Request drop_route(const Route& route);

}  // namespace holdfast::nl
