#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "csi-disk/backend/disk_backend.h"

namespace holdfast::disk {

/// Looks for disks by id, or by name, one call at a time for all who ask meanwhile, and another beside one
/// that gets no answer. Who comes first makes the call, for all who came until it goes out; each gets those
/// that it asked for. Thread-safe.
class SharedLooks {
 public:
  using Deadline = DiskBackend::Deadline;
  using Found = cloud::Answer<std::vector<Disk>>;
  using Ask = std::function<Found(const std::vector<std::string>& keys, Deadline deadline)>;

  /// `key`: what disks are asked for by; `gather`: how long a call waits for others to come with it; `most`:
  /// keys that one call may have.
  SharedLooks(Clock& clock, std::string Disk::*key, std::chrono::milliseconds gather, std::size_t most)
      : clock_(clock), key_(key), gather_(gather), most_(most) {}

  /// Those that `call`, or another's that went out after this came, has found of `keys`, which are `most` or
  /// fewer. nullopt: `end`, since boot, came before an answer did.
  std::optional<Found> ask(const std::vector<std::string>& keys, std::chrono::nanoseconds end,
                           const Ask& call);

 private:
  struct Batch;
  bool lead(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Batch>& batch,
            std::chrono::nanoseconds end, const Ask& call);
  [[nodiscard]] Found some_of(const Found& all, const std::vector<std::string>& keys) const;
  // Until `ready` says so. False: `end` came first.
  template <class Ready>
  bool wait(std::unique_lock<std::mutex>& lock, std::chrono::nanoseconds end, const Ready& ready);

  Clock& clock_;
  std::string Disk::*const key_;
  const std::chrono::milliseconds gather_;
  const std::size_t most_;
  std::mutex mutex_;  // guards the following
  std::condition_variable changed_;
  std::size_t calls_ = 0;                  // under way
  std::chrono::nanoseconds last_begun_{};  // since boot, of them
  // Shared by all whose keys are in it: whoever leaves last drops it. Null: who comes next begins one.
  std::shared_ptr<Batch> open_;
};

}  // namespace holdfast::disk
