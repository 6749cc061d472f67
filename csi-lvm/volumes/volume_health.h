#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/staging/ailments.h"
#include "csi-lvm/lvm/inventory.h"

namespace holdfast::lvm {

struct PoolLimits;

using staging::Ailment;

/// What LVM's report tells of a volume or snapshot of the group that is wrong; empty when nothing is. A pool
/// that is not active tells nothing. Pure.
[[nodiscard]] std::vector<Ailment> ailments_of(const VolumeGroup& group, const LogicalVolume& volume,
                                               const PoolLimits& limits);

}  // namespace holdfast::lvm
