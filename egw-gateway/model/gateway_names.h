#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// The names, numbers and limits that the gateway's programs agree on.
namespace holdfast::gateway {

inline constexpr std::string_view kEdgeGatewayGroup = "net.holdfast.dev";
inline constexpr std::string_view kEdgeGatewayVersion = "v1alpha1";
inline constexpr std::string_view kEdgeGatewayApiVersion = "net.holdfast.dev/v1alpha1";
inline constexpr std::string_view kEdgeGatewayKind = "EdgeGateway";
inline constexpr std::string_view kEdgeGatewayListKind = "EdgeGatewayList";
/// Lower-case plural, as in URLs and in the name of the CustomResourceDefinition.
inline constexpr std::string_view kEdgeGatewayPlural = "edgegateways";

/// The pool's two gateways, as Deployments are named: <pool>-a and <pool>-b.
inline constexpr std::size_t kMostGateways = 2;
/// Where a gateway's pod serves /healthz, /readyz and /metrics.
inline constexpr std::uint16_t kCoreHealthPort = 11264;
/// Where the helper of a cluster's node does, on its own machine alone.
inline constexpr std::uint16_t kHelperHealthPort = 11269;
/// Of one pool, in each of its lists.
inline constexpr std::size_t kMostRanges = 256;
/// Into so many blocks a pool's ranges may fall by what is exempt in them. Each is four routes, and packets
/// of a node meet a rule for each: 1,000 of them cost 0.06 ms a round trip and half of 10 Gbit/s.
inline constexpr std::size_t kMostBlocks = 1000;
inline constexpr std::size_t kMostAccessPoints = 16;
inline constexpr std::size_t kMostNodes = 2000;
inline constexpr std::size_t kMostNodeAddresses = 8;
/// The number of the last tunnel that a cluster can have.
inline constexpr int kHighestTunnel = 999;
/// The highest priority that a gateway or an access point can have; more is preferred.
inline constexpr int kHighestPriority = 1000;

/// Source: RFC 5883 section 5.
inline constexpr std::uint16_t kBfdMultihopPort = 4784;

/// What egw-helper's routes and rules bear, by which it knows its own. Of the numbers for routing daemons,
/// and none of those in /etc/iproute2/rt_protos.
inline constexpr std::uint8_t kRouteProtocol = 157;
/// What the routes to the other ends of tunnels bear.
inline constexpr std::uint8_t kTunnelProtocol = 159;
/// Of the route to the live gateway.
inline constexpr std::uint32_t kGatewayMetric = 37;
/// Of the route that answers when no gateway is alive: behind the route to one.
inline constexpr std::uint32_t kUnreachableMetric = 1'000'000;
/// Where packets look that came by the overlay: the gateway on this node, or nowhere.
inline constexpr std::uint32_t kTransitTable = 20157;
/// Of the rule that leads there: behind the table local, before main.
inline constexpr std::uint32_t kTransitRulePriority = 10157;
/// Where a node has its ranges: in the table main the routes of DHCP clients, network managers and
/// administrators would win, by a lower metric or a longer prefix.
inline constexpr std::uint32_t kRangesTable = 20158;
/// Of the rule that leads there: behind kTransitRulePriority, before main.
inline constexpr std::uint32_t kRangesRulePriority = 10158;

/// How soon a dead gateway is found dead, unless the pool says otherwise: 3 x 100 ms.
inline constexpr std::chrono::milliseconds kLivenessInterval{100};
inline constexpr int kLivenessMultiplier = 3;

}  // namespace holdfast::gateway
