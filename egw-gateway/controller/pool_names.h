#pragma once

#include <array>
#include <string>
#include <string_view>

#include "common/kube/node_pools.h"

/// By which names egw-controller knows pools, and others know what it makes. All of its objects but the
/// EdgeGateway are in one namespace of their own:
///
///     EdgeGateway  POOL              what nodes and gateways need to know; its annotations hold what the
///     pool was taken on with Secret       POOL-keys         private WireGuard keys of both gateways,
///     "GATEWAY-NUMBER" each Secret       POOL-liveness     "keys": what nodes and gateways sign BFD with
///     PodDisruptionBudget  POOL      one gateway stays
///     Deployment   POOL-a, POOL-b    egw-core
///     DaemonSet    POOL-helper       egw-helper
namespace holdfast::gateway {

/// Of a NodePool. Source: OpenYurt, ACK@Edge.
using kube::kMaxNodesAnnotation;
using kube::kPodCidrsAnnotation;
inline constexpr const char* kCenIdAnnotation = "nodepool.openyurt.io/cen-id";
inline constexpr const char* kCcnIdAnnotation = "nodepool.openyurt.io/ccn-id";
inline constexpr const char* kCcnRegionAnnotation = "nodepool.openyurt.io/ccn-region";
inline constexpr const char* kIsDefaultAnnotation = "nodepool.openyurt.io/is-default";
/// What an enhanced pool has, all of them.
inline constexpr std::array kEnhancedAnnotations{kMaxNodesAnnotation, kPodCidrsAnnotation, kCenIdAnnotation,
                                                 kCcnIdAnnotation, kCcnRegionAnnotation};

/// Of a Node.
inline constexpr const char* kArchLabel = "kubernetes.io/arch";
inline constexpr const char* kGatewayArch = "amd64";

/// Of each object that is ours. One without them is somebody else's, whatever it is called.
inline constexpr const char* kManagedByLabel = "app.kubernetes.io/managed-by";
inline constexpr const char* kController = "egw-controller";
inline constexpr const char* kPoolLabel = "net.holdfast.dev/pool";
inline constexpr const char* kProgramLabel = "app.kubernetes.io/name";    ///< "egw-core"
inline constexpr const char* kGatewayLabel = "net.holdfast.dev/gateway";  ///< "a"

/// Of an object: a checksum of what was asked for.
inline constexpr const char* kWantedAnnotation = "net.holdfast.dev/wanted";
/// Of an EdgeGateway and the Secret with keys: what the pool has of the cluster's tunnels (pool_tunnels.h).
inline constexpr const char* kTunnelsAnnotation = "net.holdfast.dev/tunnels";
/// Of an EdgeGateway, by an operator: another word than at the last change of keys makes new ones.
inline constexpr const char* kRotateAnnotation = "net.holdfast.dev/rotate-keys";
/// Of an EdgeGateway, by an operator in place of access points that cannot tell it themselves
/// (status.accessPoints[].keys): the number of the newest keys that all access points take.
inline constexpr const char* kAcceptedAnnotation = "net.holdfast.dev/accepted-keys";
/// Of an EdgeGateway and the Secret with keys: the number of those in use.
inline constexpr const char* kKeyNumberAnnotation = "net.holdfast.dev/key-number";
/// Of the Secret with keys: the number of newer ones that are offered.
inline constexpr const char* kOfferedAnnotation = "net.holdfast.dev/offered-key-number";
/// Of the Secret with keys: that number, once all access points take them.
inline constexpr const char* kTakenAnnotation = "net.holdfast.dev/taken-key-number";
/// Of both Secrets: the word that asked for the newest keys.
inline constexpr const char* kRotatedAnnotation = "net.holdfast.dev/rotated-for";
/// Of both Secrets, RFC 3339: when the newest keys were made; of what BFD is signed with, when it became what
/// it is.
inline constexpr const char* kChangedAnnotation = "net.holdfast.dev/keys-changed-at";
/// Its one member.
inline constexpr const char* kLivenessMember = "keys";

inline constexpr std::array<const char*, 2> kGateways{"a", "b"};
/// That of a is higher, so that all prefer the same.
inline constexpr std::array<int, 2> kPriorities{200, 100};

[[nodiscard]] inline std::string deployment_name(const std::string& pool, const std::string& gateway) {
  return pool + "-" + gateway;
}
[[nodiscard]] inline std::string helper_name(const std::string& pool) { return pool + "-helper"; }
[[nodiscard]] inline std::string keys_name(const std::string& pool) { return pool + "-keys"; }
[[nodiscard]] inline std::string liveness_name(const std::string& pool) { return pool + "-liveness"; }

}  // namespace holdfast::gateway
