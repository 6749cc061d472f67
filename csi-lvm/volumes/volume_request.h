#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "csi-lvm/lvm/lvm.h"
#include "csi-lvm/volumes/local_volume.h"
#include "csi-lvm/volumes/parameters.h"
#include "csi-lvm/volumes/volume_copies.h"

namespace holdfast::lvm {

/// A volume that is asked for.
struct VolumeRequest {
  std::string name;
  Parameters parameters;
  std::uint64_t required_bytes = 0;  ///< 0: the smallest there is
  std::uint64_t limit_bytes = 0;     ///< 0: none
  bool block = false;                ///< for raw access: its old content matters wherever it is
  std::optional<ContentSource> source{};
};

/// Where volumes of such a class are made.
[[nodiscard]] Room room_in(const Parameters& parameters);

/// Whether there can be such a volume at all. Errors: kInvalidArgument.
Status check_request(const VolumeRequest& wanted);

/// The least volume in which there is room for what is asked for: its file system, and what encrypts it. A
/// copy has what its source has: 0.
[[nodiscard]] std::uint64_t least_bytes(const VolumeRequest& wanted);

/// Whether such a volume may be made from that: an encrypted one from an encrypted one; a raw one not from a
/// thick volume's files, between which there still is what an earlier tenant left. Errors: kInvalidArgument.
Status check_mode(const VolumeRequest& wanted, const LogicalVolume& source);

/// The same request, for `source_bytes` at least. Errors: kOutOfRange when it is for less.
Result<VolumeRequest> sized_for(const VolumeRequest& wanted, std::uint64_t source_bytes);

/// Whole extents of each stripe, `required` at least. Errors: kOutOfRange above the limit (0: none).
Result<std::uint64_t> fitting_size(std::uint64_t required, std::uint64_t limit, std::uint64_t extent_bytes,
                                   std::uint32_t stripes);

/// What to make for it under this name, `creating`. Tags are those that every volume has. Errors:
/// kOutOfRange, also for less than least_bytes(), which it names; those of check_zeroes() for a raw one.
Result<NewVolume> planned(const VolumeRequest& wanted, const VolumeName& name, const VolumeGroup& group,
                          const std::string& cluster);

/// A snapshot of `source` to take, `creating` until LVM has said that it is there. `taken`: seconds since
/// 1970.
[[nodiscard]] NewSnapshot planned_snapshot(const std::string& name, const FoundVolume& source,
                                           const SnapshotRoom& room, std::int64_t taken,
                                           const std::string& cluster);

/// Errors: kAlreadyExists when what has its name is something else than what is asked for. One of another
/// maker has no tags, and is what its size tells.
Status check_same(const VolumeRequest& wanted, const FoundVolume& found);

/// Whether that is the name it was asked for by: two may become the same for LVM (lv_name_of()).
[[nodiscard]] bool is_named(const FoundVolume& found, const std::string& name);

/// Whether the volume is a copy that is not ready: it may have its source's size still.
[[nodiscard]] bool is_unfinished_copy(const LogicalVolume& volume);

}  // namespace holdfast::lvm
