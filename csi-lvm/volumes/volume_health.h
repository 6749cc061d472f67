#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "csi-lvm/lvm/inventory.h"

namespace holdfast::lvm {

struct PoolLimits;

/// One thing that is wrong with a volume.
struct Ailment {
  enum class Kind : std::uint8_t {
    kDegraded,      ///< it works, and may not for long
    kInaccessible,  ///< its data is there and cannot be reached
    kDataLoss,      ///< some of it is gone
  };
  Kind kind = Kind::kDegraded;
  std::string reason;   ///< one word for programs: "DiskMissing"
  std::string message;  ///< for people: what is wrong, and the cure
  bool operator==(const Ailment&) const = default;
};

/// What LVM's report tells of a volume or snapshot of the group that is wrong; empty when nothing is. A pool
/// that is not active tells nothing. Pure.
[[nodiscard]] std::vector<Ailment> ailments_of(const VolumeGroup& group, const LogicalVolume& volume,
                                               const PoolLimits& limits);

}  // namespace holdfast::lvm
