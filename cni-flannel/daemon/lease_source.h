#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "cni-flannel/daemon/known_peers.h"
#include "cni-flannel/daemon/node_network_object.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// How a source fares, told when it changes.
struct SourceHealth {
  bool reachable = false;  ///< the last attempt to read it succeeded
  std::string detail;      ///< why not, or what of it could not be used; empty when all is well

  bool operator==(const SourceHealth&) const = default;
};

/// What was told before the program's last start, where it was stored.
struct SourceMemory {
  std::string cluster_id{};        ///< as by cluster(); empty: never told
  std::string resource_version{};  ///< the last position()
  bool crd_seen = false;
  bool has_lease = false;  ///< the node can do without the source
};

/// Who is told what a source learns of the cluster's nodes, ourselves among them; always from the event loop,
/// never from within a call of the source. A call must not end the source.
///
/// What is told may be old: a cache may lag behind, and a list may be broken off and begin again. Only
/// removed() and listed() tell that a node is gone.
class LeaseConsumer {
 public:
  LeaseConsumer() = default;
  LeaseConsumer(const LeaseConsumer&) = delete;
  LeaseConsumer& operator=(const LeaseConsumer&) = delete;
  virtual ~LeaseConsumer() = default;

  /// Which cluster it is, before all else, by the uid of its namespace kube-system. From a source without a
  /// cluster it never comes. What is known of another cluster's nodes is forgotten.
  virtual void cluster(const std::string& id) = 0;
  /// A node is there: new, changed, or as it was.
  virtual void upsert(NodeNetworkObject node) = 0;
  /// A tombstone. Of another uid than the one that is held it means nothing.
  virtual void removed(const std::string& name, const std::string& uid) = 0;
  /// An authoritative list: these are all the nodes that there are, each told by upsert() before.
  virtual void listed(const NodeNames& names) = 0;
  /// All is told up to here: where the source goes on after a restart.
  virtual void position(const std::string& resource_version) = 0;
  /// The cluster keeps an object of its own for each node: a source that knows other ways takes none of them
  /// any more, also after a restart.
  virtual void crd_seen() {}
  virtual void health(const SourceHealth& health) = 0;
  /// What flannel-controller says of this node (controller_conditions.h), when it may be news.
  virtual void judged(const std::vector<Condition>& by_controller) { static_cast<void>(by_controller); }
  /// Asked when the source starts.
  [[nodiscard]] virtual SourceMemory memory() const { return {}; }
};

/// Tells of the cluster's nodes, and tells the cluster of ours. Works on the event loop and never blocks.
class LeaseSource {
 public:
  LeaseSource() = default;
  LeaseSource(const LeaseSource&) = delete;
  LeaseSource& operator=(const LeaseSource&) = delete;
  virtual ~LeaseSource() = default;

  /// Begins to tell `consumer`, which outlives the source, and goes on through all failures. Errors: what no
  /// waiting cures.
  virtual Status start(LeaseConsumer& consumer) = 0;
  /// What this node is to its peers from now on. The source sees to it that they can read it, until the next
  /// call; `status` is written on transitions only. May be called while the consumer is told something.
  virtual void publish(const NodeNetwork& own, const NodeNetworkStatus& status) = 0;
  /// What is well with this node and what is not, after each transition, for those who look after the
  /// cluster.
  virtual void tell(const std::vector<Condition>& conditions) = 0;
  /// Looks at once at what it would look at some time anyway.
  virtual void look_again() = 0;
  /// This node does not join the cluster, and the program ends: tells those who look after the cluster why,
  /// as far as that can be done within kFarewell, and calls `done` from the loop. May be called without
  /// start(); nothing else is called behind it.
  virtual void refuse(const Condition& why, std::function<void()> done) = 0;

  static constexpr std::chrono::seconds kFarewell{3};
};

}  // namespace holdfast::flannel
