#pragma once

#include <cstdint>
#include <string>

#include "csi-lvm/lvm/lvm.h"
#include "csi-lvm/volumes/capacity.h"
#include "csi-lvm/volumes/cluster_uid.h"

namespace holdfast::lvm {

/// When a pool grows, and by how much: before the watermarks (PoolLimits) are reached, from which on nothing
/// more is made in it.
struct PoolGrowth {
  double data_percent = 75;
  double metadata_percent = 65;
  std::uint32_t step_percent = 20;  ///< of what it has
};

/// The thin pools of this node that volumes of ours are in, or that were made for them. Thread-safe.
class ThinPools {
 public:
  /// All outlive it. Pools are ours when `cluster` made them or has volumes in them.
  ThinPools(Lvm& lvm, CapacityBook& book, PoolGrowth growth, const ClusterUid& cluster);

  /// Makes the pool with `size_bytes` when it is not there; 0: it must be there. True when it was made.
  /// Errors: kNotFound for the
  /// group, or the pool that must be there; kResourceExhausted, nothing was made; those of Lvm.
  Result<bool> ensure(const VolumeName& pool, std::uint64_t size_bytes, Lvm::Patience patience);

  /// To be called every few seconds; costs one report when nothing has to be done. A pool of ours that is not
  /// active is activated, because one that is not tells nothing. One of which as much is in use as PoolGrowth
  /// says, of data or of metadata, grows by a step or as far as the group has room, the part that is spared
  /// for this included. So the pool is refused to new volumes (PoolLimits) only when its group is full. A
  /// pool that cannot grow any more is no error: its volumes tell it (volume_health.h). Goes on after a
  /// failure; returns the first.
  Status tend(Lvm::Patience patience);

 private:
  Status tend_pool(const VolumeGroup& group, const LogicalVolume& pool, Lvm::Patience patience);
  Status grow_data(const VolumeGroup& group, const LogicalVolume& pool, Lvm::Patience patience);
  Status grow_metadata(const VolumeGroup& group, const LogicalVolume& pool, Lvm::Patience patience);
  [[nodiscard]] bool is_ours(const VolumeGroup& group, const LogicalVolume& pool) const;

  Lvm& lvm_;
  CapacityBook& book_;
  PoolGrowth growth_;
  const ClusterUid& cluster_;
};

}  // namespace holdfast::lvm
