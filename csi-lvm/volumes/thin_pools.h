#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>

#include "csi-lvm/lvm/lvm.h"
#include "csi-lvm/volumes/capacity.h"
#include "csi-lvm/volumes/cluster_uid.h"
#include "csi-lvm/volumes/pool_spare.h"

namespace holdfast::lvm {

/// When a pool grows, and by how much: before the watermarks (PoolLimits) are reached, from which on nothing
/// more is made in it.
struct PoolGrowth {
  double data_percent = 75;
  double metadata_percent = 65;
  std::uint32_t step_percent = 20;  ///< of what it has
};

/// The thin pools of this node that volumes of ours are in, or that were made for them. Thread-safe.
///
///     (none) --group tagged--> begun --lvcreate--> creating --tags changed--> made --group's tag removed-->
///
/// LVM makes a pool in several writes, the first of which is of a volume that bears no mark of ours
/// (pool_spare.h). One that is begun or `creating` was never given to anybody: cut off, it is removed with
/// all that belongs to it, by whoever asks for it again and after a start.
class ThinPools {
 public:
  /// All outlive it. Pools are ours when `cluster` made them or has volumes in them.
  ThinPools(Lvm& lvm, CapacityBook& book, PoolGrowth growth, const ClusterUid& cluster);

  /// Makes the pool with `size_bytes` when it is not there; 0: nothing is made. True when it was made. Of two
  /// who ask for it at a time one makes it, and the other waits. Errors: kNotFound for the group;
  /// kResourceExhausted, nothing was made; kAborted when something may be left; those of Lvm.
  Result<bool> ensure(const VolumeName& pool, std::uint64_t size_bytes, Lvm::Patience patience);

  /// Activates the pool when by the book it is whole and not active: how full it is, it does not tell before.
  /// Errors: those of Lvm::activate().
  Status wake(const VolumeName& pool, Lvm::Patience patience);

  /// Removes what was left of the pool when its making was cut off. Costs nothing when by the book there is
  /// nothing. Errors: those of Lvm::remove().
  Status drop_half(const VolumeName& pool, Lvm::Patience patience);

  /// To be called every few seconds; costs one report when nothing has to be done. A pool of ours that is not
  /// active is activated, because one that is not tells nothing. One of which as much is in use as PoolGrowth
  /// says, of data or of metadata, grows by a step or as far as the group has room, the part that is spared
  /// for this included. So the pool is refused to new volumes (PoolLimits) only when its group is full. A
  /// pool that cannot grow any more is no error: its volumes tell it (volume_health.h). Goes on after a
  /// failure; returns the first.
  Status tend(Lvm::Patience patience);

 private:
  // While it lives nobody else makes the pool, or removes what is left of it.
  class Turn;
  Result<Turn> begin(const VolumeName& pool, Lvm::Patience patience);
  Status make(const VolumeName& pool, std::uint64_t size_bytes, Lvm::Patience patience);
  Status make_in_turn(const VolumeGroup& group, NewPool wanted, const PoolSpare& spare,
                      Lvm::Patience patience);
  Status remove_half(const VolumeGroup& group, const std::string& pool, Lvm::Patience patience);
  /// Whether its making was begun, and has not ended.
  [[nodiscard]] bool is_begun(const VolumeGroup& group, const std::string& pool) const;
  [[nodiscard]] bool is_half_of_ours(const LogicalVolume& volume) const;
  Status tend_pool(const VolumeGroup& group, const LogicalVolume& pool, Lvm::Patience patience);
  Status grow_data(const VolumeGroup& group, const LogicalVolume& pool, Lvm::Patience patience);
  Status grow_metadata(const VolumeGroup& group, const LogicalVolume& pool, Lvm::Patience patience);
  [[nodiscard]] bool is_ours(const VolumeGroup& group, const LogicalVolume& pool) const;

  Lvm& lvm_;
  CapacityBook& book_;
  PoolGrowth growth_;
  const ClusterUid& cluster_;
  std::mutex mutex_;                 // guards busy_
  std::condition_variable is_free_;  // of busy_
  std::set<std::string> busy_;       // "group/pool" of which somebody has the turn
};

}  // namespace holdfast::lvm
