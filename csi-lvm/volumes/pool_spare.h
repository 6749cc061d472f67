#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "csi-lvm/lvm/inventory.h"

/// LVM, when it makes the first thin pool of a group, begins with what is to be the pool's spare for
/// metadata: in a write of its own, under a name that it draws ("lvol0"), without a tag. Cut off after that
/// write it leaves a volume of nobody. So the group bears a tag from before the pool is made until it is,
/// which tells whose such a volume is.
namespace holdfast::lvm {

/// Of a pool that is being made.
struct PoolSpare {
  std::string pool;
  std::uint64_t most_bytes = 0;  ///< what its spare may have
  std::string cluster;           ///< whose pool it is to be; "" of a node without one
  bool operator==(const PoolSpare&) const = default;
};

/// "csi.spare=POOL:BYTES:CLUSTER".
[[nodiscard]] std::string spare_tag(const PoolSpare& spare);

/// Those that the group's tags tell of this cluster. A tag of another form tells none.
[[nodiscard]] std::vector<PoolSpare> begun_spares(const VolumeGroup& group, const std::string& cluster);

/// Whether LVM has named a volume of the group: then one that comes beside it may be anybody's.
[[nodiscard]] bool has_drawn_names(const VolumeGroup& group);

/// Whether the volume is what was to be this spare: one that LVM has named, plain, without a tag, not in use,
/// and no larger.
[[nodiscard]] bool may_be(const PoolSpare& spare, const LogicalVolume& volume);

}  // namespace holdfast::lvm
