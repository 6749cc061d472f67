#pragma once

#include <vector>

#include "cni-flannel/daemon/node_network_object.h"
#include "common/base/json.h"
#include "common/base/result.h"

/// What flannel-controller says of a node, in status.cluster.conditions of its NodeNetworkConfiguration. True
/// is good.
namespace holdfast::flannel {

inline constexpr const char* kCidrsGiven = "PodCIDRsGiven";
/// No other node has, or is quarantined with, part of them.
inline constexpr const char* kCidrsUnique = "PodCIDRsUnique";
inline constexpr const char* kCidrsOfNode = "PodCIDRsOfNode";  ///< the object claims what its Node has
inline constexpr const char* kCidrsOfPool = "PodCIDRsOfPool";
inline constexpr const char* kMacUnique = "VtepMACUnique";
inline constexpr const char* kAddressUnique = "PublicAddressUnique";  ///< no other node has published it
inline constexpr const char* kNameUnique = "NodeNameUnique";          ///< one machine runs as this node
inline constexpr const char* kAnnotationsUsable = "AnnotationsUsable";
inline constexpr const char* kReadable = "Readable";    ///< the Node and its object are
inline constexpr const char* kPoolClear = "PoolClear";  ///< no two labels name two pools

/// Those that an object has; none where it has no status. Errors: kInvalidArgument.
[[nodiscard]] Result<std::vector<Condition>> decode_controller_conditions(const JsonObject& object);

}  // namespace holdfast::flannel
