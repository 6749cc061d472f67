#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/csi/driver.h"
#include "csi-lvm/volumes/volume_health.h"

namespace csi::v1 {
class VolumeCondition;
class VolumeHealth;
}  // namespace csi::v1

namespace holdfast::lvm {

/// What can be seen of a volume without touching it.
struct VolumeSigns {
  bool missing_disk = false;      ///< LVM does not find a disk that it lies on
  bool broken_mount = false;      ///< it is mounted, and its device is gone
  bool turned_read_only = false;  ///< its file system refuses writes that its mount allows, as after an error
  std::uint64_t io_errors = 0;    ///< that its file system counted
  std::string trouble;            ///< why it could not be looked at lately; empty when it could
};

/// The gravest first; none for a volume of which nothing is known to be wrong.
[[nodiscard]] std::vector<Ailment> ailments_of(const VolumeSigns& signs);

/// The same for callers of CSI 1.12, and for those of 1.13.
void tell(const std::vector<Ailment>& ailments, csi::v1::VolumeCondition& into);
void tell(const std::string& volume_id, const std::vector<Ailment>& ailments, csi::v1::VolumeHealth& into);

}  // namespace holdfast::lvm
