#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/csi/driver.h"

namespace csi::v1 {
class VolumeCondition;
class VolumeHealth;
}  // namespace csi::v1

namespace holdfast::staging {

/// One thing that is wrong with a volume.
struct Ailment {
  enum class Kind : std::uint8_t {  // the gravest last
    kDegraded,                      ///< it works, and may not for long
    kInaccessible,                  ///< its data is there and cannot be reached
    kDataLoss,                      ///< some of it is gone
  };
  Kind kind = Kind::kDegraded;
  std::string reason;   ///< one word for programs: "DiskMissing"
  std::string message;  ///< for people: what is wrong, and the cure
  bool operator==(const Ailment&) const = default;
};
using Ailments = std::vector<Ailment>;

/// What can be seen of a volume without touching it.
struct VolumeSigns {
  bool broken_mount = false;      ///< it is mounted, and its device is gone
  bool turned_read_only = false;  ///< its file system refuses writes that its mount allows, as after an error
  std::uint64_t io_errors = 0;    ///< that its file system counted
  std::string trouble;            ///< why it could not be looked at lately; empty when it could
};

/// The gravest first; none for a volume of which nothing is known to be wrong.
[[nodiscard]] Ailments ailments_of(const VolumeSigns& signs);

/// The same for callers of CSI 1.12, and for those of 1.13.
void tell(const Ailments& ailments, csi::v1::VolumeCondition& into);
void tell(const std::string& volume_id, const Ailments& ailments, csi::v1::VolumeHealth& into);

}  // namespace holdfast::staging
