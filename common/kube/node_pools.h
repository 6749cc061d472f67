#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/json.h"
#include "common/base/result.h"
#include "common/kube/object.h"

/// NodePools, as far as their annotations matter. Source: OpenYurt, ACK@Edge.
namespace holdfast::kube {

inline constexpr const char* kNodePoolGroup = "apps.openyurt.io";
inline constexpr const char* kNodePoolPlural = "nodepools";
/// Those that have alike what is read here; the newest first.
inline constexpr std::array kNodePoolVersions{"v1beta1", "v1alpha1"};
inline constexpr const char* kMaxNodesAnnotation = "nodepool.openyurt.io/max-nodes";
inline constexpr const char* kPodCidrsAnnotation = "nodepool.openyurt.io/pod-cidrs";

/// Of a Node: the pool that it is to be in. The one that it is in: kNodePoolLabel.
inline constexpr const char* kDesiredPoolLabel = "apps.openyurt.io/desired-nodepool";
inline constexpr const char* kDesiredPoolLabelOfAck = "openyurt.io/desired-nodepool";

/// Of one pool.
inline constexpr std::size_t kMostPodCidrs = 256;
inline constexpr std::uint32_t kMostPoolNodes = 1'000'000;

struct NodePool {
  ObjectId id{};
  std::string api_version{};
  std::string type{};  ///< "Edge" or "Cloud"; empty: not told
  std::map<std::string, std::string> annotations{};
  std::set<std::string> taints{};  ///< keys of those that its nodes are given
};

[[nodiscard]] KeptFields node_pool_fields();
/// Errors: kInvalidArgument, for members of another type than the API's.
[[nodiscard]] Result<NodePool> decode_node_pool(const JsonObject& object);

/// Of kPodCidrsAnnotation: ranges with commas between; without host bits, in order, each once. Errors:
/// kInvalidArgument, naming the range: no CIDR, one that holds everything, more than kMostPodCidrs.
[[nodiscard]] Result<std::vector<Cidr>> parse_pod_cidrs(std::string_view text);
/// Of kMaxNodesAnnotation: 1..kMostPoolNodes. Errors: kInvalidArgument.
[[nodiscard]] Result<std::uint32_t> parse_max_nodes(std::string_view text);

}  // namespace holdfast::kube
