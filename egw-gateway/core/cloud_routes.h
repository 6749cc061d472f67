#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/netlink/address.h"
#include "common/netlink/route.h"
#include "common/netlink/socket.h"

/// The routes in a gateway's pod, all with kRouteProtocol:
///
///     RANGE dev LINK OF THE BEST ACCESS POINT'S TUNNEL metric 37      when there is one
///     unreachable RANGE metric 1000000                                always
///     HOST/32 dev eth0, SUBNET via HOST dev eth0                      in place of the pod's own network
///
/// The last two have the host, which is the pod's default gateway, see both directions of what its own pods
/// send through the gateway beside them: an answer straight to the pod would pass it by, and the address of a
/// Service would not be put back.
namespace holdfast::gateway {

/// `ifindex` 0: there is no way. Pure.
[[nodiscard]] std::vector<nl::Route> cloud_routes(const std::vector<Cidr>& ranges, int ifindex);

/// What the pod's own link has.
struct EdgeLink {
  int ifindex = 0;
  std::uint32_t mtu = 0;  ///< bytes
  std::vector<nl::Address> addresses{};
  std::vector<nl::Route> routes{};  ///< of the table main, by this link

  [[nodiscard]] std::vector<Cidr> networks() const;
};
/// Errors: kFailedPrecondition when there is no such link; the kernel's.
[[nodiscard]] Result<EdgeLink> read_edge_link(nl::Socket& socket, const std::string& name);

/// To the pod's own networks by the host, where a default route tells who that is. Pure.
[[nodiscard]] std::vector<nl::Route> host_routes(const EdgeLink& link);

struct RoutePlan {
  std::vector<nl::Route> puts{};  ///< replace what has their destination and metric
  std::vector<nl::Route> drops{};

  [[nodiscard]] bool empty() const { return puts.empty() && drops.empty(); }
};
/// From what is there of kRouteProtocol to what is wanted. Pure.
[[nodiscard]] RoutePlan plan_cloud_routes(const std::vector<nl::Route>& wanted,
                                          const std::vector<nl::Route>& actual);

/// Returns how many changes it took. Errors: the kernel's first; what could be done was.
Result<std::size_t> put_cloud_routes(nl::Socket& socket, const std::vector<nl::Route>& wanted);

/// The link that ranges lead to, for a program that begins anew; 0: none.
[[nodiscard]] Result<int> link_in_use(nl::Socket& socket);

}  // namespace holdfast::gateway
