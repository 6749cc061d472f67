#pragma once

#include <functional>

#include "cni-flannel/daemon/overlay_store.h"
#include "common/base/event_loop.h"
#include "common/base/worker.h"

namespace holdfast::flannel {

/// Brings the state into the store soon after it changed, on the worker's thread: a disk may take seconds.
class StateKeeper {
 public:
  using Snapshot = std::function<OverlayState()>;
  using Told = std::function<void(const Status&)>;

  /// All outlive it, and it outlives the worker's jobs. `told` hears how each save ended.
  StateKeeper(EventLoop& loop, Worker& worker, OverlayStore& store, Snapshot snapshot, Told told);

  /// The state has changed. Saves of changes that come together are one save.
  void changed();
  /// The program ends: what is not saved yet is given to the worker now.
  void finish();

 private:
  void save();
  void saved(const Status& done);

  EventLoop& loop_;
  Worker& worker_;
  OverlayStore& store_;  // used by the worker's thread only
  Snapshot snapshot_;
  Told told_;
  bool dirty_ = false;
  bool saving_ = false;
  EventLoop::Timer next_;
};

}  // namespace holdfast::flannel
