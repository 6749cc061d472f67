#include "cni-flannel/daemon/state_keeper.h"

#include <chrono>
#include <memory>
#include <utility>

namespace holdfast::flannel {
namespace {

constexpr std::chrono::milliseconds kGather{100};
// A disk that is full or read-only may be cured.
constexpr std::chrono::seconds kRetry{30};

}  // namespace

StateKeeper::StateKeeper(EventLoop& loop, Worker& worker, OverlayStore& store, Snapshot snapshot, Told told)
    : loop_(loop), worker_(worker), store_(store), snapshot_(std::move(snapshot)), told_(std::move(told)) {}

void StateKeeper::changed() {
  dirty_ = true;
  if (!saving_ && !next_.pending()) next_ = loop_.after(kGather, [this] { save(); });
}

void StateKeeper::finish() {
  if (dirty_) save();
}

void StateKeeper::save() {
  dirty_ = false;
  saving_ = true;
  next_.end();
  const auto done = std::make_shared<Status>();  // shared by the job and what comes after it
  worker_.run([&store = store_, state = snapshot_(), done] { *done = store.save(state); },
              [this, done] { saved(*done); });
}

void StateKeeper::saved(const Status& done) {
  saving_ = false;
  told_(done);
  if (!done) {
    dirty_ = true;
    next_ = loop_.after(kRetry, [this] { save(); });
  } else if (dirty_) {
    changed();
  }
}

}  // namespace holdfast::flannel
