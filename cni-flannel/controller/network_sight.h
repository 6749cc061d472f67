#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/daemon/node_network.h"
#include "cni-flannel/daemon/node_network_object.h"
#include "common/base/cidr.h"
#include "common/kube/object.h"

/// What flannel-controller knows of a cluster. Of thousands of nodes it keeps no more than it looks at.
namespace holdfast::flannel {

/// A Node, as far as it matters here.
struct SeenNode {
  kube::ObjectId id{};
  std::string pool{};             ///< that it is in or wants to be in; empty: none
  bool contradicts = false;       ///< its labels name more than one pool
  bool leaving = false;           ///< it is being deleted
  std::string fault{};            ///< why it cannot be read; what it has is not known then
  std::vector<Cidr> pod_cidrs{};  ///< at most one a family
  /// What its annotations tell peers; nullopt: not that flannel runs there.
  std::optional<NodeNetwork> told{};
  std::string untold{};                ///< why its annotations cannot be read; empty: they can
  std::vector<IpAddress> addresses{};  ///< of the machine, as kubelet tells them
  std::string boot_id{};               ///< of the machine that told its state last; empty: not told

  bool operator==(const SeenNode&) const = default;
};

/// What a node has no more, though others may still send there. It is kept from others until the quarantine
/// is over.
struct FreedCidr {
  Cidr cidr{};
  std::chrono::sys_seconds since{};

  bool operator==(const FreedCidr&) const = default;
};

/// A NodeNetworkConfiguration.
struct SeenObject {
  kube::ObjectId id{};
  std::int64_t generation = 0;
  NodeNetwork network{};
  std::string removed_at{};  ///< RFC 3339; empty: the node is there
  std::string fault{};       ///< why it cannot be read, but for its identity and removed_at
  std::string node_uid{};    ///< of the Node that it was made for; empty: not told
  std::string created{};     ///< RFC 3339, as the API server writes it
  bool mirrored = false;     ///< made by this controller, for a node that runs upstream
  /// What its Node had when this controller looked last; a node may publish nothing else (admission policy).
  std::vector<Cidr> allotted{};
  std::vector<FreedCidr> freed{};
  std::vector<Condition> told{};

  bool operator==(const SeenObject&) const = default;
};

/// The same but for the version, which any change of what is not kept gives it.
template <class Seen>
[[nodiscard]] bool same_but_version(const Seen& one, Seen other) {
  other.id.resource_version = one.id.resource_version;
  return one == other;
}

/// A NodePool's, or the cluster's.
struct PodRanges {
  std::vector<Cidr> cidrs{};
  std::optional<std::uint32_t> most_nodes{};  ///< nullopt: as many as there is room for
  std::string fault{};                        ///< why `cidrs` cannot be used; empty: they can

  bool operator==(const PodRanges&) const = default;
};

/// What this process knows of a Node that the Node does not tell.
struct NodeMoment {
  std::vector<Cidr> promised{};  ///< what it is being given, by a write whose end is not seen
  std::chrono::seconds known_for = std::chrono::seconds::max();  ///< since this process saw it first
  std::chrono::seconds astray_for{};     ///< since its annotations were seen to say other than its object
  std::chrono::seconds contested_for{};  ///< so long its name counts as two machines'; 0: it does not

  bool operator==(const NodeMoment&) const = default;
};

/// All of it at one moment. Refers to the Nodes and objects, which are many.
struct NetworkSight {
  const std::map<std::string, SeenNode>& nodes;
  const std::map<std::string, SeenObject>& objects;
  std::map<std::string, PodRanges> pools{};  ///< by name; those without ranges of their own have none
  bool has_pools = false;  ///< the cluster has NodePools: who is in one that is not there waits
  std::map<std::string, NodeMoment> moments{};  ///< by node; of one that is in none, nothing is to be said

  [[nodiscard]] const SeenObject* object_of(const std::string& node) const;
  [[nodiscard]] const NodeMoment& moment_of(const std::string& node) const;
  /// Whether the node or its object has, claims or had not long ago part of `cidr`.
  [[nodiscard]] bool has_part_of(const Cidr& cidr, const std::string& node) const;
};

/// Whether the node's annotations tell peers to send elsewhere than its object, which flanneld keeps, does;
/// or that object is of an earlier life of its Node.
[[nodiscard]] bool is_astray(const SeenNode& node, const SeenObject& object);

}  // namespace holdfast::flannel
