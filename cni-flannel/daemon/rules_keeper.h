#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "cni-flannel/daemon/peer_guard.h"
#include "common/base/event_loop.h"
#include "common/base/exec.h"
#include "common/base/worker.h"
#include "common/firewall/rule_set.h"

namespace holdfast::flannel {

/// The packet-filter rules of this node.
struct RulesWanted {
  bool nftables = false;  ///< else iptables; what the other has of ours is removed
  std::vector<firewall::RuleSet> sets;
  bool guarded = true;             ///< false: there is to be no guard
  std::optional<PeerGuard> guard;  ///< unset: not known yet; what is there stays

  bool operator==(const RulesWanted&) const = default;
};

/// Keeps the rules in the kernel: puts them when they change, looks at them again and again, and mends what
/// others did to them. All of it on the worker's thread, because iptables waits for a lock of others.
class RulesKeeper {
 public:
  /// What a look at the rules came to, told on the event loop.
  struct Outcome {
    Status done;             ///< of the first set that failed
    Status guard;            ///< of the peers' guard
    std::size_t mended = 0;  ///< sets that were not whole, though they had been
  };
  using Told = std::function<void(const Outcome&)>;

  /// `loop`, `worker` and `executor` outlive it; it outlives the worker's jobs.
  RulesKeeper(EventLoop& loop, Worker& worker, Executor& executor, std::chrono::seconds resync, Told told);
  RulesKeeper(const RulesKeeper&) = delete;
  RulesKeeper& operator=(const RulesKeeper&) = delete;
  ~RulesKeeper();

  /// From now on. The first look is at once, if these are others than before.
  void want(RulesWanted wanted);

 private:
  class Backends;
  /// `whole`: at all; else at the guard, which changes with each peer.
  void look(bool whole);
  void looked(const Outcome& outcome);

  EventLoop& loop_;
  Worker& worker_;
  std::chrono::seconds resync_;
  Told told_;
  RulesWanted wanted_;
  bool wants_anything_ = false;
  bool looking_ = false;
  bool again_ = false;  // what is wanted changed while it was looked at
  bool again_whole_ = false;
  EventLoop::Timer next_;
  std::shared_ptr<Backends> backends_;  // shared with the job that runs; used by the worker's thread only
};

}  // namespace holdfast::flannel
