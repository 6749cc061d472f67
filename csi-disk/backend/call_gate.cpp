#include <algorithm>

#include "csi-disk/backend/patient_disks.h"

namespace holdfast::disk {
namespace {

constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::seconds kLongestPause{10};
// Whatever the cloud says: detaches wait as well.
constexpr std::chrono::minutes kLongestRetryAfter{1};

}  // namespace

CallGate::CallGate(Clock& clock, std::uint64_t seed)
    : clock_(clock), backoff_(kFirstPause, kLongestPause, seed) {}

// While the gate is closed one may go when its time is over, of the first rank that somebody waits in.
bool CallGate::may_go(CallRank rank) const {
  if (!closed_) return true;
  if (probing_ || clock_.since_boot() < closed_until_) return false;
  const auto before = waiting_.begin() + static_cast<std::ptrdiff_t>(rank);
  return std::all_of(waiting_.begin(), before, [](std::size_t count) { return count == 0; });
}

bool CallGate::pass(CallRank rank, std::chrono::nanoseconds deadline) {
  std::unique_lock lock(mutex_);
  std::size_t& here = waiting_.at(static_cast<std::size_t>(rank));
  ++here;
  while (!may_go(rank)) {
    const std::chrono::nanoseconds now = clock_.since_boot();
    if (now >= deadline || (!probing_ && closed_until_ >= deadline)) {
      --here;
      changed_.notify_all();
      return false;
    }
    const std::chrono::nanoseconds until = probing_ || now >= closed_until_ ? deadline : closed_until_;
    changed_.wait_for(lock, std::min(until, deadline) - now);
  }
  --here;
  probing_ = closed_;
  return true;
}

void CallGate::answered() {
  const std::lock_guard lock(mutex_);
  if (closed_ && !probing_) return;  // of a call that went out before the gate was closed
  closed_ = false;
  probing_ = false;
  backoff_.reset();
  changed_.notify_all();
}

void CallGate::throttled(std::chrono::nanoseconds retry_after) {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  probing_ = false;
  const std::chrono::nanoseconds pause =
      retry_after > std::chrono::nanoseconds::zero()
          ? std::min<std::chrono::nanoseconds>(retry_after, kLongestRetryAfter)
          : kFirstPause + backoff_.next();
  closed_until_ = std::max(closed_until_, clock_.since_boot() + pause);
  changed_.notify_all();
}

}  // namespace holdfast::disk
