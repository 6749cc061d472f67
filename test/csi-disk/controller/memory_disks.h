#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "csi-disk/backend/disk_backend.h"

namespace holdfast::disk {

/// A disk service in memory that keeps all promises of DiskBackend, with ways to go wrong. Thread-safe.
class MemoryDisks final : public DiskBackend {
 public:
  /// How a call goes wrong.
  enum class Fault : std::uint8_t {
    kNotSent,     ///< nothing is done
    kThrottled,   ///< likewise
    kRefused,     ///< likewise, with a code that nobody knows
    kBusy,        ///< likewise, as something else is done to the disk or the node
    kLost,        ///< nothing is done, and nobody can tell
    kUnanswered,  ///< it is done, and nobody can tell; of what describes: no answer
    kKilled,      ///< it is done, and the caller is killed: Killed is thrown
  };
  struct Killed {};

  /// `settling`: how long making, attaching, detaching, growing, changing and cutting take.
  explicit MemoryDisks(Clock& clock, std::chrono::milliseconds settling = {})
      : clock_(clock), settling_(settling) {}

  // What the world is like. Not while calls are made.
  struct Node {
    std::string zone = {};
    std::uint32_t most_disks = 16;
  };
  std::map<std::string, Node> nodes = {{"i-1", {"a"}}, {"i-2", {"a"}}, {"i-3", {"b"}}};
  std::vector<std::string> zones{"a", "b", "c"};
  std::set<std::string> types{"cloud_essd", "cloud_ssd", "cloud_efficiency", "cloud_auto"};
  std::set<std::pair<std::string, std::string>> sold_out = {};  ///< zone, type
  std::set<std::pair<std::string, std::string>> not_sold = {};  ///< likewise: as kInvalid
  bool in_arrears = false;
  bool snapshots_fail = false;
  bool refuses_bursting = false;          ///< of a disk that is there, as kInvalid
  std::chrono::milliseconds names_lag{};  ///< how late disks_named() has what was made
  bool refuses_unused = false;            ///< takes no snapshots, as of disks that were never attached
  Abilities able{
      .create = true, .snapshots = true, .grow = true, .modify = true, .tags = true, .multi_attach = true};
  /// Asked before each call, whose number counts from 1 on, what goes wrong with it.
  std::function<std::optional<Fault>(std::size_t number, const std::string& call)> fault = {};

  /// How often each call was made.
  [[nodiscard]] std::map<std::string, std::size_t> calls() const;
  [[nodiscard]] std::size_t call_count() const;
  void forget_calls();
  /// As they are now, sorted by id.
  [[nodiscard]] std::vector<Disk> all_disks();
  [[nodiscard]] std::vector<Snapshot> all_snapshots();
  /// A disk of somebody else's. Its id.
  std::string put_disk(Disk disk);
  void drop_disk(const std::string& id);

  [[nodiscard]] Abilities abilities() const override { return able; }
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
  struct KeptDisk {
    Disk disk;
    std::chrono::nanoseconds made{};
    std::chrono::nanoseconds settles{};  // when what was begun is over
    std::function<void(Disk&)> then = {};
  };
  struct KeptSnapshot {
    Snapshot snapshot;
    std::chrono::nanoseconds settles{};
  };

  template <class T>
  Answer<T> call(const std::string& name, Deadline deadline, const std::function<Answer<T>()>& work);
  std::optional<Fault> begin(const std::string& name);
  void settle();
  KeptDisk* find(const std::string& id);
  Done refuse_change() const;
  Done start(KeptDisk& kept, DiskState meanwhile, std::function<void(Disk&)> then);
  Answer<std::string> make(const DiskSpec& spec);
  bool is_feeding(const std::string& snapshot) const;

  Clock& clock_;
  const std::chrono::milliseconds settling_;
  mutable std::mutex mutex_;  // guards all below
  std::map<std::string, KeptDisk> disks_;
  std::map<std::string, KeptSnapshot> snapshots_;
  std::map<std::string, std::pair<std::string, std::string>> tokens_;  // what was asked for, and the id
  std::map<std::string, std::size_t> calls_;
  std::size_t count_ = 0;
  std::size_t made_ = 0;
};

}  // namespace holdfast::disk
