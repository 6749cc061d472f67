#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/json.h"
#include "common/base/result.h"
#include "egw-gateway/model/gateway_names.h"

/// What a pool's gateways and its nodes need to know, as one cluster-scoped object named after the pool:
///
///     apiVersion: net.holdfast.dev/v1alpha1
///     kind: EdgeGateway
///     metadata: {name: POOL, uid, resourceVersion, generation}
///     spec:
///       podCIDRs        [CIDR]     of the pool: what the VPC reaches through the gateways
///       vpcCIDRs        [CIDR]     what nodes route to the gateways: the VPC,
///       cloudPodCIDRs   [CIDR]     and pods that run in it
///       exemptCIDRs     [CIDR]     of these ranges what stays on the node's own routes: API servers
///       accessPoints    [{name, address, port, publicKey, priority, link: dedicated|metered,
///                         tunnelAddresses: [ADDRESS], mtu}]
///       gateways        [{name: a|b, node, podAddresses: [ADDRESS], publicKeys: [KEY], priority, tunnel,
///                         tunnelAddresses: [ADDRESS]}]
///       nodes           [{name, podCIDRs: [CIDR], addresses: [ADDRESS]}]     of the pool
///       liveness        {intervalMilliseconds, multiplier, keySecret}     nodes <-> gateways
///     status: {observedGeneration, active, lastSwitch, gateways: [{name, node, ready}],
///              accessPoints: [{name, active, lastSwitch, reason, message}],     each by its access point
///              conditions: [{type, status, reason, message, lastTransitionTime}]}
namespace holdfast::gateway {

/// The first of a family.
[[nodiscard]] std::optional<IpAddress> address_of(const std::vector<IpAddress>& addresses, IpFamily family);

/// How an access point is reached: over a line of our own, or over one whose bytes cost.
enum class LinkKind : std::uint8_t { kDedicated, kMetered };
[[nodiscard]] std::string_view to_string(LinkKind kind);

inline constexpr std::uint32_t kLeastTunnelMtu = 1280;   ///< RFC 8200 section 5
inline constexpr std::uint32_t kMostTunnelMtu = 65'455;  ///< with IPv6 and WireGuard's own bytes around it

/// The cloud end of tunnels.
struct AccessPoint {
  std::string name{};
  IpAddress address{};       ///< where the tunnel's packets are sent to
  std::uint16_t port = 0;    ///< of the tunnel number 0: each gateway's own is port_of()
  std::string public_key{};  ///< of its WireGuard interface: 32 bytes in base64
  int priority = 0;          ///< 0..kHighestPriority, more is preferred
  LinkKind link = LinkKind::kDedicated;
  /// Its own inside all its tunnels, at most one a family: liveness is between it and the gateways'.
  std::vector<IpAddress> tunnel_addresses{};
  /// Of packets inside its tunnels, at both ends: kLeastTunnelMtu..kMostTunnelMtu bytes; 0: not told.
  std::uint32_t mtu = 0;

  bool operator==(const AccessPoint&) const = default;
};

/// The UDP port at which an access point listens for a gateway; nullopt: beyond the last one. One interface a
/// gateway: two peers of one interface cannot both be what everything is sent to.
[[nodiscard]] std::optional<std::uint16_t> port_of(const AccessPoint& point, std::uint16_t tunnel);

/// One of a pool's gateways: a pod of egw-core.
struct Gateway {
  std::string name{};
  std::string node{};                      ///< on which it runs
  std::vector<IpAddress> pod_addresses{};  ///< one or two, of one family each; liveness is by the first
  int priority = 0;                        ///< 0..kHighestPriority, more is preferred
  /// Of its WireGuard interfaces, 32 bytes in base64: none, one, or two while it changes over to another.
  std::vector<std::string> public_keys{};
  /// 0..kHighestTunnel, its own among all pools of the cluster; nullopt: it has no tunnel.
  std::optional<std::uint16_t> tunnel{};
  /// Its own inside tunnels, at most one a family, which is also what edge nodes are translated to. Routed as
  /// /32 or /128 into its tunnel. A family without one: edge nodes reach nothing by it.
  std::vector<IpAddress> tunnel_addresses{};

  [[nodiscard]] std::optional<IpAddress> address(IpFamily family) const {
    return address_of(pod_addresses, family);
  }
  bool operator==(const Gateway&) const = default;
};

/// A node of the pool, by which its own packets are told from its pods'.
struct PoolMember {
  std::string name{};
  std::vector<Cidr> pod_cidrs{};       ///< its part of the pool's
  std::vector<IpAddress> addresses{};  ///< in its own networks

  bool operator==(const PoolMember&) const = default;
};

/// How nodes and gateways find each other dead.
struct Liveness {
  std::chrono::milliseconds interval = kLivenessInterval;
  int multiplier = kLivenessMultiplier;  ///< so many intervals without a packet
  std::string key_secret{};              ///< name of the Secret; empty: no authentication

  bool operator==(const Liveness&) const = default;
};

struct EdgeGateway {
  std::string pool{};              ///< metadata.name
  std::string uid{};               ///< empty in a file
  std::string resource_version{};  ///< empty in a file
  std::int64_t generation = 0;     ///< 0 in a file
  std::vector<Cidr> pod_cidrs{};
  std::vector<Cidr> vpc_cidrs{};
  std::vector<Cidr> cloud_pod_cidrs{};
  std::vector<Cidr> exempt_cidrs{};
  std::vector<AccessPoint> access_points{};
  std::vector<Gateway> gateways{};
  std::vector<PoolMember> nodes{};
  Liveness liveness{};

  bool operator==(const EdgeGateway&) const = default;
};

/// Whether all that counts of two objects is the same: all but resourceVersion and generation.
[[nodiscard]] bool tells_the_same(const EdgeGateway& one, const EdgeGateway& other);

/// Whether it tells a range of the cloud. That of an enhanced pool does.
[[nodiscard]] bool tells_range(const EdgeGateway& gateway);

/// The lists without which no traffic passes and of which `told` has nothing, though `known`, what was told
/// of the pool before, has: podCIDRs, vpcCIDRs and cloudPodCIDRs together, accessPoints, gateways. For
/// people,
/// ", " between; empty: none.
///
/// Somebody has emptied such an object, or it came back without its members. It is no word of the pool: who
/// hears of it treats it as an object that is gone, so that nothing which works ends at once. One element of
/// several that is taken out counts at once. Pure.
[[nodiscard]] std::string lost_lists(const EdgeGateway& known, const EdgeGateway& told);

/// Source: Kubernetes API conventions, "Typical status properties".
struct GatewayCondition {
  std::string type{};
  std::string status{};  ///< "True", "False" or "Unknown"
  std::string reason{};
  std::string message{};
  std::string last_transition_time{};  ///< RFC 3339

  bool operator==(const GatewayCondition&) const = default;
};

struct EdgeGatewayStatus {
  struct Instance {
    std::string name{};
    std::string node{};
    bool ready = false;
    bool operator==(const Instance&) const = default;
  };
  std::int64_t observed_generation = 0;
  std::string active{};       ///< name of the gateway that the VPC sends to; empty: none
  std::string last_switch{};  ///< RFC 3339; empty: never
  std::vector<Instance> gateways{};
  std::vector<GatewayCondition> conditions{};

  bool operator==(const EdgeGatewayStatus&) const = default;
};

/// Ranges come out without host bits, in order, each once. Errors: kInvalidArgument, naming member and value:
/// another kind or group, a name no object can have, a range that holds everything, two gateways of one name
/// or on one node, two addresses of one family, two tunnels of one number or address, a tunnel's address
/// among pods, numbers and lists beyond the limits of gateway_names.h. Another version of the group is read
/// as this one.
[[nodiscard]] Result<EdgeGateway> decode_edge_gateway(const JsonObject& object);
[[nodiscard]] Result<EdgeGatewayStatus> decode_edge_gateway_status(const JsonObject& object);

/// What is unset is left out; status is not part of it.
[[nodiscard]] nlohmann::json encode_edge_gateway(const EdgeGateway& gateway);
[[nodiscard]] nlohmann::json encode_edge_gateway_status(const EdgeGatewayStatus& status);

/// The objects of a file in YAML or JSON: documents separated by ---, each an object or a List of them. One
/// that cannot be used does not hide the others; those of other kinds are left out. Errors: kInvalidArgument
/// when the text is neither YAML nor JSON.
[[nodiscard]] Result<std::vector<Result<EdgeGateway>>> decode_edge_gateway_documents(std::string_view text);

}  // namespace holdfast::gateway
