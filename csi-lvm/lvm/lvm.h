#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "csi-lvm/lvm/inventory.h"

namespace holdfast::lvm {

/// Which volume, as LVM names it.
struct VolumeName {
  std::string group;
  std::string volume;

  /// "group/volume".
  [[nodiscard]] std::string text() const { return group + "/" + volume; }
  bool operator==(const VolumeName&) const = default;
};

/// A volume to make. LVM rounds its size up to whole extents of every stripe.
struct NewVolume {
  VolumeName name;
  std::uint64_t size_bytes = 0;
  std::uint32_t stripes = 1;       ///< of a thick one: over so many disks
  std::uint64_t stripe_bytes = 0;  ///< a power of two; 0 for LVM's default (64 KiB)
  std::string pool;                ///< not empty: a thin volume of this pool of the group
  std::vector<std::string> tags;
};

/// A pool for thin volumes to make. LVM gives it metadata by its size, and takes room for as much again to
/// mend them with.
struct NewPool {
  VolumeName name;
  std::uint64_t size_bytes = 0;
  std::vector<std::string> tags;
};

/// A snapshot to make, of a volume as it is at one moment. A thin volume's shares the pool with it; a thick
/// one's keeps the blocks that change afterwards, and is lost when more of them change than it has room for.
struct NewSnapshot {
  VolumeName origin;
  std::string name;
  std::uint64_t room_bytes = 0;  ///< of a thick volume's snapshot; 0 for a thin one's
  std::vector<std::string> tags;
};

/// A volume group with disks or partitions for it.
struct GroupDisks {
  std::string group;
  std::vector<std::string> devices;  ///< "/dev/vdb"
};

/// LVM on this node, at the level of what the driver means. One real implementation (CommandsLvm) and one in
/// memory (the tests' FakeLvm), under one contract test. Thread-safe.
///
/// Every call waits `patience` at most. A change that is late is not undone: it answers kDeadlineExceeded and
/// goes on, and the next look() tells how it ended. What LVM says of an error is shown to people and never
/// read: which error it was comes from the state after it.
///
/// Errors that all have: kInvalidArgument for a name, tag or path that LVM would not take, before anything is
/// done; kDeadlineExceeded; kAborted when it is not known whether a change was made; kUnavailable when LVM
/// cannot be run; kNotFound for a group; kInternal with LVM's words for the rest.
class Lvm {
 public:
  using Patience = std::chrono::milliseconds;

  Lvm() = default;
  Lvm(const Lvm&) = delete;
  Lvm& operator=(const Lvm&) = delete;
  virtual ~Lvm() = default;

  virtual Result<Inventory> look(Patience patience) = 0;
  /// One volume as look() tells it, in far less time. Errors: kNotFound.
  virtual Result<LogicalVolume> look_at(const VolumeName& name, Patience patience) = 0;

  /// A thick volume's first 4 KiB are zeroed and known signatures wiped; more of what an earlier tenant left
  /// may show. Errors: kAlreadyExists; kResourceExhausted when the group or its disks have no room;
  /// kNotFound for the pool.
  virtual Status create(const NewVolume& wanted, Patience patience) = 0;
  /// Errors: kAlreadyExists; kNotFound for the origin; kResourceExhausted; kFailedPrecondition for a thick
  /// snapshot of a thick snapshot.
  virtual Status create_snapshot(const NewSnapshot& wanted, Patience patience) = 0;
  /// Errors: kAlreadyExists; kResourceExhausted.
  virtual Status create_pool(const NewPool& wanted, Patience patience) = 0;

  /// To `size_bytes` at least; one that is as large succeeds. A pool grows for all its volumes, a thick
  /// snapshot by room for changes. Errors: kNotFound; kResourceExhausted; kFailedPrecondition for an active
  /// volume that has thick snapshots.
  virtual Status extend(const VolumeName& name, std::uint64_t size_bytes, Patience patience) = 0;
  /// `volume` grows by the very extents of another thick volume of its group, `part`, which is gone then. Not
  /// in one write: cut off in between, the extents are free, and still hold what was on `part`. Errors:
  /// kNotFound for either; kFailedPrecondition when `part` is in use; kAborted when something else took the
  /// extents in between.
  virtual Status join(const VolumeName& volume, const std::string& part, Patience patience) = 0;
  /// A pool's metadata, as extend(). Errors: kNotFound for the pool; kResourceExhausted.
  virtual Status extend_metadata(const VolumeName& pool, std::uint64_t size_bytes, Patience patience) = 0;

  /// In one write. Removing a tag that is not there and adding one that is succeed. Errors: kNotFound.
  virtual Status change_tags(const VolumeName& name, const std::vector<std::string>& remove,
                             const std::vector<std::string>& add, Patience patience) = 0;

  /// The same of a group's own tags. Errors: kNotFound.
  virtual Status change_group_tags(const std::string& group, const std::vector<std::string>& remove,
                                   const std::vector<std::string>& add, Patience patience) = 0;

  /// Makes its device appear; one that is active succeeds. Errors: kNotFound; kFailedPrecondition when a disk
  /// of it is missing.
  virtual Status activate(const VolumeName& name, Patience patience) = 0;
  /// The same for many, in far less time than one after the other. Goes on after a failure; returns the first
  /// one.
  virtual Status activate_all(const std::vector<VolumeName>& names, Patience patience) = 0;
  /// Errors: kNotFound; kFailedPrecondition when it is in use.
  virtual Status deactivate(const VolumeName& name, Patience patience) = 0;
  /// Brings an active volume's device to what the metadata say, and lets go what waits for it: after a change
  /// that was cut off (LogicalVolume::unsettled). Errors: kNotFound.
  virtual Status refresh(const VolumeName& name, Patience patience) = 0;
  /// Removes the devices of our groups that no metadata know, and nobody uses: left by a change that was cut
  /// off, they would be in the way of a volume of their name. `seen` is what look() last told: when by it
  /// there are none, LVM is not asked again.
  virtual Status drop_strays(const Inventory& seen, Patience patience) = 0;

  /// One that is not there succeeds, but not when its group is not there: its disks may come back. Errors:
  /// kFailedPrecondition when it is in use, or is the origin of a thick snapshot or a pool with volumes:
  /// these would go with it.
  virtual Status remove(const VolumeName& name, Patience patience) = 0;

  /// All that LVM finds on the host's disks, not only on those that are ours to look at.
  virtual Result<Inventory> look_around(Patience patience) = 0;
  /// A group of these disks, which become ours. LVM is not told to overwrite anything: a disk on which it
  /// finds a signature is refused. Errors: kAlreadyExists; kFailedPrecondition for a disk that cannot be
  /// taken, and then none is.
  virtual Status create_group(const GroupDisks& wanted, Patience patience) = 0;
  /// The same for a group that is there; disks that are in it already do no harm.
  virtual Status extend_group(const GroupDisks& wanted, Patience patience) = 0;
  /// Makes the disks of a group that the host has ours to look at; nothing on them changes. `devices` are all
  /// of its disks. Errors: kFailedPrecondition when the group does not appear.
  virtual Status adopt_group(const GroupDisks& wanted, Patience patience) = 0;
};

}  // namespace holdfast::lvm
