#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/daemon/annotation_keys.h"
#include "cni-flannel/daemon/node_annotations.h"
#include "cni-flannel/daemon/node_network_object.h"
#include "common/base/cidr.h"
#include "common/kube/object.h"

/// What flannel-controller is to do for each node, of what the cluster has:
///
///     Node without pod CIDRs          gets those that it had, else free ones of its pool or the cluster
///     Node with annotations           its object gets the same (it runs upstream)
///     Node whose annotations have long said other than the object that flanneld kept
///                                   the object is this controller's: the node went back to upstream
///     Node without, but with object   gets the same as annotations, for peers that run upstream
///     object without a Node           becomes a tombstone: peers forget it, nobody gets its CIDRs
///     tombstone, cidr_quarantine old  is deleted
///     Node whose name two machines have   nothing, until one of them is gone
///
/// Nothing takes a pod CIDR from a node, changes what a node says of itself, or gives what another has.
namespace holdfast::flannel {

/// A Node, as far as it matters here.
struct SeenNode {
  kube::ObjectId id{};
  std::string pool{};             ///< that it is in or wants to be in; empty: none
  bool contradicts = false;       ///< its labels name more than one pool
  bool leaving = false;           ///< it is being deleted
  std::string fault{};            ///< why it cannot be read; what it has is not known then
  std::vector<Cidr> pod_cidrs{};  ///< at most one a family
  std::vector<Cidr> promised{};   ///< what it is being given, by a write whose end is not seen
  Annotations annotations{};
  std::string boot_id{};                 ///< of the machine that told its state last; empty: not told
  std::chrono::seconds known_for{};      ///< since this process saw it first
  std::chrono::seconds astray_for{};     ///< since its annotations were seen to say other than its object
  std::chrono::seconds contested_for{};  ///< so long its name counts as two machines'; 0: it does not
};

/// A NodeNetworkConfiguration.
struct SeenObject {
  kube::ObjectId id{};
  NodeNetworkObject object{};
  std::string fault{};     ///< why it cannot be read, but for its identity
  std::string node_uid{};  ///< of the Node that it was made for; empty: not told
  std::string created{};   ///< RFC 3339, as the API server writes it
  bool mirrored = false;   ///< made by this controller, for a node that runs upstream
  /// What its Node had when this controller looked last; a node may publish nothing else (admission policy).
  std::vector<Cidr> allotted{};
  std::vector<Condition> told{};
};

/// A NodePool's, or the cluster's.
struct PodRanges {
  std::vector<Cidr> cidrs{};
  std::optional<std::uint32_t> most_nodes{};  ///< nullopt: as many as there is room for
  std::string fault{};                        ///< why `cidrs` cannot be used; empty: they can

  bool operator==(const PodRanges&) const = default;
};

struct NetworkSight {
  std::map<std::string, SeenNode> nodes{};
  std::map<std::string, SeenObject> objects{};
  std::map<std::string, PodRanges> pools{};  ///< by name; those without ranges of their own have none
};

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
  std::string type{};  ///< kCidrsGiven ...
  std::string reason{};
  std::string message{};  ///< with the cure

  bool operator==(const NodeFinding&) const = default;
};

/// Conditions of a node's object that the controller sets; True is good.
inline constexpr const char* kCidrsGiven = "PodCIDRsGiven";
inline constexpr const char* kCidrsUnique =
    "PodCIDRsUnique";  ///< no other node has, or is quarantined with, part of them
inline constexpr const char* kCidrsOfNode = "PodCIDRsOfNode";  ///< the object claims what its Node has
inline constexpr const char* kCidrsOfPool = "PodCIDRsOfPool";
inline constexpr const char* kMacUnique = "VtepMACUnique";
inline constexpr const char* kNameUnique = "NodeNameUnique";  ///< one machine runs as this node
inline constexpr const char* kAnnotationsUsable = "AnnotationsUsable";
inline constexpr const char* kReadable = "Readable";    ///< the Node and its object are
inline constexpr const char* kPoolClear = "PoolClear";  ///< no two labels name two pools

enum class NetworkVerb : std::uint8_t {
  kGiveCidrs,  ///< to the Node, which has none
  kAdopt,      ///< makes flanneld's object ours, to be mirrored
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
  std::vector<Cidr> cidrs{};       ///< kGiveCidrs
  NodeNetwork network{};           ///< kMirror
  Annotations annotations{};       ///< kAnnotate: those to be set

  bool operator==(const NetworkStep&) const = default;
};

struct NetworkPlan {
  std::vector<NetworkStep> steps{};                            ///< at most one a node
  std::map<std::string, std::vector<NodeFinding>> findings{};  ///< by node; of one that is all right none
  std::optional<std::chrono::seconds> again_in{};              ///< when time alone changes the plan
};

/// What the object of node `name` is to have as `allotted`: the pod CIDRs of its Node; what it had, while
/// these are not known.
[[nodiscard]] std::vector<Cidr> allotment(const NetworkSight& sight, const std::string& name);

/// Whether the node's annotations tell peers to send elsewhere than its object, which flanneld keeps, does.
[[nodiscard]] bool is_astray(const SeenNode& node, const SeenObject& object, const AnnotationKeys& keys);

/// `sight` is whole: what is not in it does not exist. Of two nodes that have the same, the one whose object
/// or Node was there first keeps it, and the other has the finding. Pure.
[[nodiscard]] NetworkPlan plan_networks(const NetworkSight& sight, const NetworkPlanOptions& options,
                                        std::chrono::sys_seconds now);

}  // namespace holdfast::flannel
