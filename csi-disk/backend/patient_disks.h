#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "csi-disk/backend/disk_backend.h"
#include "csi-disk/backend/shared_looks.h"

namespace holdfast::disk {

/// Which calls go first when the cloud throttles: what frees a disk before what takes one.
enum class CallRank : std::uint8_t { kDetach, kOther, kAttach };

/// Calls that wait for a cloud that had enough of them: while it is throttled nothing goes out; then one at a
/// time of those that rank first, until one is answered. Thread-safe.
class CallGate {
 public:
  CallGate(Clock& clock, std::uint64_t seed);
  /// True: go, and tell with answered() or throttled() how it was. False: `deadline`, since boot, comes
  /// before the cloud may be called.
  [[nodiscard]] bool pass(CallRank rank, std::chrono::nanoseconds deadline);
  void answered();
  /// `retry_after`: a minute at most counts; zero: the cloud said nothing of it.
  void throttled(std::chrono::nanoseconds retry_after);

 private:
  [[nodiscard]] bool may_go(CallRank rank) const;

  Clock& clock_;
  std::mutex mutex_;  // guards the following
  std::condition_variable changed_;
  bool closed_ = false;
  bool probing_ = false;
  std::chrono::nanoseconds closed_until_{};
  std::array<std::size_t, 3> waiting_{};  // by rank
  Backoff backoff_;
};

/// Any DiskBackend with patience: a call ends when it is answered, refused, or its deadline is over, and not
/// before.
///
/// * Throttled calls wait for what the cloud says, or longer and longer; all others wait with them.
/// * What was not sent is sent again, and so is what may have been done, as the same token (or that the call
///   is one that may be made twice) lets it have its effect once. A create without a token is not.
/// * Disks that are asked for by id at about the same time are asked for in one call, and so are those that
///   are asked for by name, where one page has all disks of the region (SharedLooks).
///
/// A deadline is that of the whole call, and each exchange gets what is left of it. A call that may have been
/// done ends as kUnknownOutcome, however its last exchange ended. Thread-safe.
class PatientDisks final : public DiskBackend {
 public:
  struct Patience {
    std::chrono::milliseconds gather{2};  ///< how long a describe waits for others to come with it
    std::chrono::milliseconds first_pause{50};
    std::chrono::milliseconds longest_pause{5'000};
    std::uint64_t seed = std::random_device{}();  ///< another one in each process
  };

  /// All outlive it.
  PatientDisks(DiskBackend& inner, Clock& clock, Patience patience);
  PatientDisks(DiskBackend& inner, Clock& clock) : PatientDisks(inner, clock, Patience{}) {}
  PatientDisks(const PatientDisks&) = delete;
  PatientDisks& operator=(const PatientDisks&) = delete;
  ~PatientDisks() override = default;

  [[nodiscard]] Abilities abilities() const override { return inner_.abilities(); }
  Answer<std::string> create_disk(const DiskSpec& spec, const std::string& token, Deadline deadline) override;
  Done delete_disk(const std::string& id, Deadline deadline) override;
  Answer<std::vector<Disk>> disks(const std::vector<std::string>& ids, Deadline deadline) override;
  Answer<std::vector<Disk>> disks_named(const std::string& name, Deadline deadline) override;
  Answer<Page<Disk>> list_disks(const std::string& from, std::uint32_t most, Deadline deadline) override;
  Done attach_disk(const std::string& disk, const std::string& node, Deadline deadline) override;
  Done detach_disk(const std::string& disk, const std::string& node, Deadline deadline) override;
  Done grow_disk(const std::string& disk, std::uint64_t gib, const std::string& token,
                 Deadline deadline) override;
  Done modify_disk(const std::string& disk, const Performance& performance, const std::string& token,
                   Deadline deadline) override;
  Done tag_disk(const std::string& disk, const Tags& set, const std::vector<std::string>& unset,
                Deadline deadline) override;
  Answer<std::string> create_snapshot(const SnapshotSpec& spec, const std::string& token,
                                      Deadline deadline) override;
  Done delete_snapshot(const std::string& id, Deadline deadline) override;
  Answer<std::vector<Snapshot>> snapshots(const std::vector<std::string>& ids, Deadline deadline) override;
  Answer<std::vector<Snapshot>> snapshots_named(const std::string& name, Deadline deadline) override;
  Answer<Page<Snapshot>> list_snapshots(const std::string& disk, const std::string& from, std::uint32_t most,
                                        Deadline deadline) override;
  Answer<std::optional<NodeFacts>> node(const std::string& id, Deadline deadline) override;
  Answer<std::vector<std::string>> types_in_stock(const std::string& zone, Deadline deadline) override;

 private:
  template <class T, class Call>
  Answer<T> insist(CallRank rank, bool repeatable, Deadline deadline, const Call& call);
  Answer<std::vector<Disk>> look_for(const std::vector<std::string>& names, Deadline deadline);
  [[nodiscard]] bool region_is_large() const;

  DiskBackend& inner_;
  Clock& clock_;
  const Patience patience_;
  CallGate gate_;
  SharedLooks by_id_;
  SharedLooks by_name_;
  std::atomic<std::chrono::nanoseconds> large_until_{};  // since boot
};

}  // namespace holdfast::disk
