#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/controller/network_sight.h"
#include "cni-flannel/daemon/annotation_keys.h"
#include "cni-flannel/daemon/node_annotations.h"
#include "common/base/cidr.h"

/// What flannel-controller is to do for each node, of what the cluster has:
///
///     Node without pod CIDRs          gets those that it had, else free ones of its pool or the cluster
///     Node with annotations           its object gets the same (it runs upstream)
///     Node whose annotations have long said other than the object that flanneld kept
///                                   the object is this controller's: the node went back to upstream
///     Node without, but with object   gets the same as annotations, for peers that run upstream
///     object that claims another's pod CIDRs, its Node having others   claims its Node's
///     object without a Node           becomes a tombstone: peers forget it, nobody gets its CIDRs
///     tombstone, cidr_quarantine old  is deleted
///     Node whose name two machines have   nothing, until one of them is gone
///
/// Nothing else changes what a node says of itself; nothing takes a pod CIDR from a Node, or gives what
/// another has.
namespace holdfast::flannel {

struct NetworkPlanOptions {
  std::vector<Cidr> cluster_cidrs{};  ///< for nodes of pools without ranges; empty: others give them theirs
  unsigned node_prefix_v4 = 24;       ///< of what a node is given: 2^(32-24) addresses
  unsigned node_prefix_v6 = 64;
  std::chrono::seconds cidr_quarantine{7 * 86'400};
  /// A Node is not given the cluster's CIDRs before that: its pool may not be told so soon.
  std::chrono::seconds pool_wait{30};
  /// flanneld writes its object and its annotations together. Whose annotations go on to differ for so long
  /// are upstream's.
  std::chrono::seconds adopt_after{600};
  AnnotationKeys keys{};
};

/// One thing that is wrong with a node's network: a condition of its object, and an Event of the Node.
struct NodeFinding {
  std::string type{};  ///< of controller_conditions.h
  std::string reason{};
  std::string message{};  ///< with the cure

  bool operator==(const NodeFinding&) const = default;
};

enum class NetworkVerb : std::uint8_t {
  kGiveCidrs,  ///< to the Node, which has none
  kAdopt,      ///< makes flanneld's object ours, to be mirrored
  kCorrect,    ///< sets the pod CIDRs of the object to its Node's
  kMirror,     ///< applies the object, with what the Node's annotations tell
  kAnnotate,   ///< patches the Node's annotations, with what the object tells
  kBury,       ///< sets removedAt
  kRevive,     ///< takes removedAt off: the Node is back
  kForget,     ///< deletes the object
};

struct NetworkStep {
  NetworkVerb verb = NetworkVerb::kGiveCidrs;
  std::string node{};
  std::string uid{};               ///< of what is changed; empty: it is not there
  std::string resource_version{};  ///< that it is changed from
  std::vector<Cidr> cidrs{};       ///< kGiveCidrs, kCorrect
  NodeNetwork network{};           ///< kMirror
  Annotations annotations{};       ///< kAnnotate: those to be set

  bool operator==(const NetworkStep&) const = default;
};

struct NetworkPlan {
  std::vector<NetworkStep> steps{};                            ///< at most one a node
  std::map<std::string, std::vector<NodeFinding>> findings{};  ///< by node; of one that is all right none
  std::optional<std::chrono::seconds> again_in{};              ///< when time alone changes the plan
};

/// `sight` is whole: what is not in it does not exist. Of two nodes that have the same, the one whose object
/// or Node was there first keeps it, and the other has the finding; of one public address all have it. Pure.
[[nodiscard]] NetworkPlan plan_networks(const NetworkSight& sight, const NetworkPlanOptions& options,
                                        std::chrono::sys_seconds now);

}  // namespace holdfast::flannel
