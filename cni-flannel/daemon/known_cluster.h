#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/daemon/known_peers.h"
#include "cni-flannel/daemon/lease_source.h"
#include "cni-flannel/daemon/overlay_store.h"

namespace holdfast::flannel {

/// What flanneld knows of the cluster and of its own lease: what is stored, and what a source tells. Each
/// call takes something in and answers what is to be done about it; nothing is done here. Times are of
/// Clock::since_boot().
class KnownCluster {
 public:
  using Time = KnownPeers::Time;

  /// How long a source is listened to, once it can be reached, before nodes go that were gone before the
  /// program's start: what it has to tell first is who is back.
  static constexpr std::chrono::seconds kListens{30};

  /// What is to be done.
  struct Todo {
    bool store = false;  ///< what is stored is to be another
    bool peers = false;  ///< other peers are wanted in the kernel
    bool all = false;    ///< a look at everything
    bool operator==(const Todo&) const = default;
  };

  /// The node's name, and how long others are kept after they are gone.
  KnownCluster(std::string node, Time removal_delay) : node_(std::move(node)), delay_(removal_delay) {}

  /// What was stored, before all else.
  void recall(OverlayState stored, Time now);
  /// What is to be stored; `mtu` and `checksum_broken_with` are not known here.
  [[nodiscard]] OverlayState state(Time now) const;
  /// For a source that starts.
  [[nodiscard]] SourceMemory memory() const { return {cluster_id_, position_, crd_seen_, has_lease_}; }

  /// As LeaseConsumer has them. Another cluster than was known makes a stranger of all that is known.
  Todo cluster(const std::string& id);
  Todo upsert(NodeNetworkObject node, Time now);
  Todo removed(const std::string& name, const std::string& uid, Time now);
  Todo listed(const NodeNames& names, Time now);
  void position(const std::string& resource_version) { position_ = resource_version; }
  Todo crd_seen();
  /// The source can be reached.
  void reached(Time now);

  /// Forgets those whose time is over, and returns their names.
  std::vector<std::string> forget(Time now);
  /// When forget() has something to do; Time::max(): never as it is.
  [[nodiscard]] Time next_forget() const;

  /// Our lease from now on; nullopt: there is none that can be used, and the last one is kept for its MAC.
  Todo use_lease(std::optional<NodeNetwork> lease);
  [[nodiscard]] bool has_lease() const { return has_lease_; }
  /// The lease as it was last, be it of use or not; nullptr: there was none.
  [[nodiscard]] const NodeNetwork* lease() const { return lease_ ? &*lease_ : nullptr; }
  /// What the source has of us; nullptr: nothing.
  [[nodiscard]] const NodeNetworkObject* told_of_us() const { return nodes_.find(node_); }

  [[nodiscard]] const KnownPeers& nodes() const { return nodes_; }
  /// A store or a list has told who the peers are. Before, everybody would be a stranger.
  [[nodiscard]] bool peers_known() const { return peers_known_; }
  /// A whole list was there, since the start: what is not in it is nobody's.
  [[nodiscard]] bool was_listed() const { return listed_at_.has_value(); }
  /// Since the last whole list, in seconds; -1: there was none.
  [[nodiscard]] double list_age(Time now) const;

 private:
  std::string node_;
  Time delay_;
  std::string cluster_id_;
  std::optional<NodeNetwork> lease_;
  bool has_lease_ = false;
  KnownPeers nodes_;
  bool peers_known_ = false;
  std::string position_;
  bool crd_seen_ = false;
  std::optional<Time> listed_at_;
  std::optional<Time> reached_at_;
};

}  // namespace holdfast::flannel
