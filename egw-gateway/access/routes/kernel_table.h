#pragma once

#include <cstdint>

#include "common/netlink/socket.h"
#include "egw-gateway/access/routes/route_table.h"

namespace holdfast::gateway {

/// What routes of an access point bear, by which it, and a routing daemon that tells them on, knows them.
/// None of those in /etc/iproute2/rt_protos.
inline constexpr std::uint8_t kPodRouteProtocol = 158;
/// Of all of them; so a range has one, which is changed in its place.
inline constexpr std::uint32_t kPodRouteMetric = 37;

/// Where this machine looks first for pods: in the table main others' routes would win, those that a routing
/// daemon has learned from another access point above all.
inline constexpr std::uint32_t kPodTable = 20159;
/// Of the rule that leads there (pod_table.h).
inline constexpr std::uint32_t kPodRulePriority = 10159;

/// Two tables of this machine, which is the VPC's router, or tells its routes to it by a routing daemon:
///
///     RANGE dev TUNNEL proto 158 metric 37                    main: what is told on
///     RANGE dev TUNNEL proto 158 metric 37 table 20159        what packets go by
///
/// A range that no gateway is alive for has none, so that a routing daemon takes it back and the VPC's router
/// may use another access point; backstop.h keeps it from going out in clear.
/// In main a route of another protocol with that metric is somebody's, who has the range then; those with
/// other metrics do not matter.
class KernelTable final : public RouteTable {
 public:
  /// `socket` is one of Protocol::kRoute, and outlives it.
  explicit KernelTable(nl::Socket& socket) : socket_(socket) {}

  [[nodiscard]] bool knows_tunnels() const override { return true; }
  RouteAnswer<std::vector<TableRoute>> list(Patience patience) override;
  RouteDone put(const PodRange& range, const std::optional<TableRoute>& there, Patience patience) override;
  RouteDone drop(const TableRoute& route, Patience patience) override;

 private:
  nl::Socket& socket_;
};

}  // namespace holdfast::gateway
