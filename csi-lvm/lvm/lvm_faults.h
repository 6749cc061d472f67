#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "csi-lvm/lvm/lvm.h"

/// Why a change was refused, read from the state that it left. Pure; the real LVM and the tests' one answer
/// by the same.
namespace holdfast::lvm {

/// kNotFound for the group or its pool, kAlreadyExists, kResourceExhausted when has_room() says so, else
/// kInternal with what LVM said. The others likewise, by what Lvm promises of each call.
Status why_not_created(const Inventory& after, const NewVolume& wanted, std::string_view said);
Status why_no_snapshot(const Inventory& after, const NewSnapshot& wanted, std::string_view said);
/// OK when it has the size by now.
Status why_not_extended(const Inventory& after, const VolumeName& name, std::uint64_t size_bytes,
                        std::string_view said);
Status why_metadata_not_extended(const Inventory& after, const VolumeName& pool, std::uint64_t size_bytes,
                                 std::string_view said);
/// OK when it is active (or not) as it was to be.
Status why_not_switched(const Inventory& after, const VolumeName& name, bool active, std::string_view said);
/// OK when nothing waits for its device any more.
Status why_not_refreshed(const Inventory& after, const VolumeName& name, std::string_view said);
/// OK when it has the tags to add and none of the others.
Status why_not_tagged(const Inventory& after, const VolumeName& name, const std::vector<std::string>& removed,
                      const std::vector<std::string>& added, std::string_view said);
Status why_group_not_tagged(const Inventory& after, const std::string& group,
                            const std::vector<std::string>& removed, const std::vector<std::string>& added,
                            std::string_view said);
/// OK when it is gone.
Status why_not_removed(const Inventory& after, const VolumeName& name, std::string_view said);

/// kAlreadyExists when there is a group of this name; else kFailedPrecondition with what LVM said of the
/// disks.
Status why_no_group(const Inventory& after, const GroupDisks& wanted, std::string_view said);
/// OK when all of the disks are in the group by now; kNotFound for the group; kFailedPrecondition.
Status why_not_in_group(const Inventory& after, const GroupDisks& wanted, std::string_view said);

/// kAlreadyExists when there is a volume of its name; kNotFound for the group; kResourceExhausted.
Status why_no_pool(const Inventory& after, const NewPool& wanted, std::string_view said);

/// What LVM gives a pool of this size for metadata, in whole extents; it takes as much again to mend them
/// with. Source: lvmthin(7), "Thin pool metadata": 2 MiB at least, and 64 bytes for each chunk, of 64 KiB or
/// more.
[[nodiscard]] std::uint64_t pool_metadata_bytes(std::uint64_t size_bytes, std::uint64_t extent_bytes);

/// Whether it may be removed without anything else going with it. Errors: kNotFound for the group;
/// kFailedPrecondition.
Status may_remove(const Inventory& before, const VolumeName& name);

/// The thick snapshot of this volume, the first of several; null when it has none. They live by it.
[[nodiscard]] const LogicalVolume* thick_snapshot_of(const VolumeGroup& group, std::string_view volume);

/// kNotFound when there is no such volume, naming the group or the volume.
Result<const LogicalVolume*> find_volume(const Inventory& inventory, const VolumeName& name);

/// The extents that a volume of this size takes: of every stripe as many.
[[nodiscard]] std::uint64_t extents_of(std::uint64_t size_bytes, std::uint64_t extent_bytes,
                                       std::uint32_t stripes);

/// What more than a lack of room stands in the way of a volume, with the cure: "; 3 stripes need 3 disks, and
/// the group has 2". Empty when nothing does.
[[nodiscard]] std::string why_no_room(const VolumeGroup& group, std::uint32_t stripes);

/// Whether the disks of the group have room for so many extents, each stripe on a disk of its own.
[[nodiscard]] bool has_room(const VolumeGroup& group, std::uint64_t extents, std::uint32_t stripes);

/// The largest volume of so many stripes, in extents: the stripes go to the disks with the most room, and the
/// one with the least of these bounds all. None in a group that lacks a disk: LVM makes and extends nothing
/// there.
[[nodiscard]] std::uint64_t most_extents(const VolumeGroup& group, std::uint32_t stripes);

/// The free extents of each disk less what a volume of this size takes of them, by LVM's way: stripes to the
/// disks with the most room, else one disk after the other. What has no room takes what there is.
void take_extents(VolumeGroup& group, std::uint64_t extents, std::uint32_t stripes);

}  // namespace holdfast::lvm
