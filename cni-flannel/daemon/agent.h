#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/daemon/conditions.h"
#include "cni-flannel/daemon/conflict_keeper.h"
#include "cni-flannel/daemon/daemon_metrics.h"
#include "cni-flannel/daemon/followed_folder.h"
#include "cni-flannel/daemon/known_cluster.h"
#include "cni-flannel/daemon/lease_source.h"
#include "cni-flannel/daemon/net_conf.h"
#include "cni-flannel/daemon/no_masquerade.h"
#include "cni-flannel/daemon/offload_keeper.h"
#include "cni-flannel/daemon/options.h"
#include "cni-flannel/daemon/overlay_keeper.h"
#include "cni-flannel/daemon/overlay_store.h"
#include "cni-flannel/daemon/path_mtu_keeper.h"
#include "cni-flannel/daemon/pod_addresses.h"
#include "cni-flannel/daemon/round_timing.h"
#include "cni-flannel/daemon/rules_keeper.h"
#include "cni-flannel/daemon/state_keeper.h"
#include "cni-flannel/daemon/subnet_env_keeper.h"
#include "common/base/backoff.h"
#include "common/base/event_loop.h"
#include "common/base/worker.h"
#include "common/netlink/monitor.h"

namespace holdfast::flannel {

/// flanneld's work: keeps the kernel, subnet.env and the rules as our lease and the peers want them.
///
///     store  ->  lease, peers  ->  plan  ->  kernel, subnet.env, rules
///     source ->       |
///                     +--> store, and what the source publishes of us
///
/// The store alone brings all of it up, before the source is asked. After that a look at all of it (a
/// "round") follows what the source tells of us, what the kernel tells of our device or the external
/// interface, lost events, a failure (with growing waits), and now and then without a cause. What the source
/// tells of peers touches these peers only. Lives on the event loop; what may block runs on the worker.
class Agent final : public LeaseConsumer {
 public:
  /// What it works with; all outlives it.
  struct Tools {
    EventLoop& loop;
    Worker& worker;
    Files& files;
    Executor& executor;
    Logger& log;
    Conditions& conditions;
    DaemonMetrics& metrics;
    nl::Socket& socket;
    OverlayStore& store;
  };
  Agent(const Tools& tools, Options options, NetConf conf);
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  ~Agent() override;

  /// Reads the store, and makes kernel, subnet.env and rules right by it as far as it tells. Then asks
  /// `source`. Errors: what no waiting cures.
  Status start(std::unique_ptr<LeaseSource> source);
  /// Why this node does not join (kAddressesExclude): it does nothing any more, and the loop stops as soon as
  /// the source has told that.
  [[nodiscard]] const std::optional<Error>& refusal() const { return refusal_; }
  [[nodiscard]] PodLease pod_lease() const;
  /// A look at everything soon, and at the source.
  void look_again();
  /// A condition is another than before.
  void conditions_changed();
  /// The program ends: what is not stored yet is given to the worker. Kernel and files stay as they are.
  void finish();
  /// Before the metrics are shown.
  void refresh_metrics();

  void cluster(const std::string& id) override;
  void upsert(NodeNetworkObject node) override;
  void removed(const std::string& name, const std::string& uid) override;
  void listed(const NodeNames& names) override;
  void position(const std::string& resource_version) override;
  void crd_seen() override;
  void health(const SourceHealth& health) override;
  void judged(const std::vector<Condition>& by_controller) override;
  [[nodiscard]] SourceMemory memory() const override { return known_.memory(); }

 private:
  Status read_store();
  Status watch_kernel();
  Status watch_ranges();
  void read_ranges();
  void kernel_told();

  void round_after(std::chrono::nanoseconds delay);
  void round();
  RoundEnd put_all_right();
  Status take_former();
  /// Each returns whether all of it is as it should be.
  bool put_overlay_right();
  bool put_subnet_env();
  /// Errors: the kernel's; without a lease it succeeds.
  Status renew_lease();
  void want_rules();
  void follow_peers();
  void look_at_ways();
  void put_peers();

  void follow_up(const KnownCluster::Todo& todo);
  void forget();
  void refuse_to_join(Error why);
  void tell_refusal();
  void rules_told(const RulesKeeper::Outcome& outcome);
  void publish();
  [[nodiscard]] OverlayState snapshot() const;
  [[nodiscard]] std::chrono::nanoseconds now() const { return tools_.loop.clock().since_boot(); }
  [[nodiscard]] Strangers strangers() const {
    return known_.was_listed() ? Strangers::kRemove : Strangers::kKeep;
  }

  Tools tools_;
  Options options_;
  NetConf conf_;
  OverlayKeeper overlay_;
  RulesKeeper rules_;
  SubnetEnvKeeper subnet_env_;
  StateKeeper state_;
  ConflictKeeper conflicts_;
  PathMtuKeeper path_mtu_;
  OffloadKeeper offload_;
  std::unique_ptr<LeaseSource> source_;

  KnownCluster known_;
  bool joining_ = false;  // nothing of the overlay was ever here
  std::optional<Error> refusal_;
  std::optional<PeerGuard> guard_;
  NoMasqueradeRanges no_masquerade_;
  bool mac_is_anothers_ = false;  // by flannel-controller
  std::optional<NodeNetwork> published_;
  std::uint64_t published_transitions_ = 0;

  std::optional<nl::Monitor> monitor_;
  std::unique_ptr<FollowedFolder> no_masquerade_folder_;
  EventLoop::Watch monitor_events_;
  Backoff retry_;
  EventLoop::Timer round_timer_;
  std::chrono::nanoseconds round_due_{};  // when round_timer_ is pending
  std::chrono::nanoseconds round_ended_{};
  EventLoop::Timer peers_timer_;
  EventLoop::Timer ways_timer_;
  EventLoop::Timer forget_timer_;
  EventLoop::Timer tell_timer_;
};

}  // namespace holdfast::flannel
