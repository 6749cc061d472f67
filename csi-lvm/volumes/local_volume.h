#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "csi-lvm/lvm/lvm.h"
#include "csi-lvm/volumes/capacity.h"
#include "csi-lvm/volumes/parameters.h"
#include "csi-lvm/volumes/volume_health.h"

namespace holdfast::lvm {

/// A volume or snapshot that is there.
struct LocalVolume {
  VolumeName name;
  std::uint64_t size_bytes = 0;  ///< of a thick snapshot that of its origin
  /// Of a snapshot the volume that it was taken of, of a copy what it was made from: of an xfs that has a
  /// source there may be another with the same UUID on this node (mount it with nouuid).
  std::string source{};
  bool from_snapshot = false;  ///< the copy's source is a snapshot
  std::int64_t taken = 0;      ///< of a snapshot, seconds since 1970; of a volume 0
  std::string content{};       ///< what is known of its content, as its tag says it
  bool active = true;          ///< its device is there
  bool of_pod = false;         ///< it ends with its pod
  bool unused_copy = false;    ///< of another's content, and never staged
  bool files_only = false;     ///< needs_files()
  bool encrypted = false;      ///< what is on its device is clear at used_device() alone
  std::vector<Ailment> ailments{};

  [[nodiscard]] bool is_snapshot() const { return taken != 0; }
};

/// A volume as LVM reports it, in its group.
struct FoundVolume {
  VolumeName name;
  LogicalVolume volume;
  VolumeGroup group;
};

/// The name that LVM gets for the volume or snapshot that CSI calls `name`, of up to 128 bytes of any
/// characters. As it is, where LVM takes it and has room for the group's name beside it; else with "csi-"
/// before it ("snapshot-..." is reserved by LVM), or "csi-" and a hash. Two names do not get the same one,
/// but for those that begin with "csi-" (kNameTag tells them apart).
[[nodiscard]] std::string lv_name_of(const std::string& name);

/// "/dev/vg/pvc-1".
[[nodiscard]] std::string device_path(const VolumeName& name);
/// A name as device-mapper writes it within one of its own: a hyphen is two.
[[nodiscard]] std::string doubled_hyphens(std::string_view name);
/// What an encrypted volume's clear device is called below /dev/mapper, "luks-vg-pvc--1".
[[nodiscard]] std::string mapping_of(const VolumeName& name);
/// Where a volume's content is: its device, or of an encrypted one the clear device, while that is open.
[[nodiscard]] std::string used_device(const LocalVolume& volume);

/// The one volume of this name; pools are none, nor what was to become one. Errors: kFailedPrecondition when
/// two groups have one.
Result<std::optional<FoundVolume>> find_in(const Inventory& inventory, const std::string& id);

[[nodiscard]] tl::unexpected<Error> not_there(const std::string& id);

/// Asks LVM, and brings the book up to date.
Result<Inventory> look(Lvm& lvm, CapacityBook& book, Lvm::Patience patience);

[[nodiscard]] std::string_view state_of(const LogicalVolume& volume);
[[nodiscard]] bool is_thick(const LogicalVolume& volume);
/// Half made, or half deleted: nobody's.
[[nodiscard]] bool is_half(const LogicalVolume& volume);
/// A pool that was made for volumes of ours, or was to become one.
[[nodiscard]] bool is_made_pool(const LogicalVolume& volume);
[[nodiscard]] bool is_snapshot(const LogicalVolume& volume);
[[nodiscard]] bool is_encrypted(const LogicalVolume& volume);

/// Whether all that is on the volume's extents can be read by who uses it: a thick one for raw access, and
/// one of another maker, of which nobody tells.
[[nodiscard]] bool shows_extents(const LogicalVolume& volume);
/// Whether it must not be given raw: of a thick one that was made for a file system only superblocks were
/// zeroed, and the rest still holds what earlier volumes left. An encrypted one's clear device shows noise.
[[nodiscard]] bool needs_files(const LogicalVolume& volume);
/// Whether its pool gives it blocks with what earlier volumes left in them (lvcreate --zero n): of a block
/// that is written in part the rest can be read. For a file system that does no harm.
[[nodiscard]] bool gets_dirty_blocks(const VolumeGroup& group, const LogicalVolume& volume);
/// That a raw volume may be made in this pool of the group; one that is not there is made to zero. Errors:
/// kFailedPrecondition.
Status check_zeroes(const VolumeGroup& group, const std::string& pool);

/// Whether volumes of ours are in the group, or a pool that was made for them.
[[nodiscard]] bool has_volumes_of_ours(const VolumeGroup& group);

/// What becomes of its content when it is deleted.
[[nodiscard]] Wipe wipe_of(const LogicalVolume& volume);

/// What it shows: of a thick snapshot the size of its origin, as its own is its room for changes.
[[nodiscard]] std::uint64_t shown_size(const VolumeGroup& group, const LogicalVolume& volume);

/// What a snapshot of it gets for changes, by what its class asks for; 0 of a thin one, whose pool has it.
[[nodiscard]] std::uint64_t room_for_changes(const LogicalVolume& volume, const SnapshotRoom& room);
/// What the snapshot takes of the group or the pool. A thin one may come to be as large as its volume.
[[nodiscard]] Room room_of(const NewSnapshot& snapshot, const FoundVolume& source);

/// What its tags and its group tell of it.
[[nodiscard]] LocalVolume told(const VolumeGroup& group, const LogicalVolume& volume,
                               const PoolLimits& limits);

}  // namespace holdfast::lvm
