#include "csi-lvm/lvm/lvm_faults.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "common/base/text.h"

namespace holdfast::lvm {
namespace {

tl::unexpected<Error> told_by_lvm(const std::string& what, std::string_view said) {
  return fail(Code::kInternal, what + ": " + std::string(trim(said)));
}

Result<const VolumeGroup*> find_group(const Inventory& inventory, const std::string& name) {
  const VolumeGroup* group = inventory.group(name);
  if (group == nullptr) return fail(Code::kNotFound, "there is no volume group " + name + " on this node");
  return group;
}

tl::unexpected<Error> no_room(const VolumeGroup& group, std::uint64_t size_bytes, std::uint32_t stripes) {
  std::string message = "the volume group " + group.name + " has no room for " + std::to_string(size_bytes) +
                        " bytes: " + std::to_string(group.free_bytes) + " are free";
  if (stripes > 1) {
    message += ", at most " + std::to_string(most_extents(group, stripes) * group.extent_bytes) +
               " of them in " + std::to_string(stripes) + " stripes";
  }
  return fail(Code::kResourceExhausted, message + why_no_room(group, stripes));
}

bool are_changed(const std::vector<std::string>& tags, const std::vector<std::string>& removed,
                 const std::vector<std::string>& added) {
  const auto has = [&tags](const std::string& tag) { return std::ranges::find(tags, tag) != tags.end(); };
  return std::ranges::all_of(added, has) && std::ranges::none_of(removed, has);
}

bool takes_extents(const PhysicalVolume& disk) { return !disk.missing && disk.allocatable; }

}  // namespace

std::string why_no_room(const VolumeGroup& group, std::uint32_t stripes) {
  if (group.missing_disks > 0) {
    return "; the group lacks " + std::to_string(group.missing_disks) +
           " of its disks, and LVM makes nothing in it: bring them back, by lvm lvmdevices --adddev where "
           "one is "
           "there and pvs does not tell it; only what is lost for good take out with vgreduce "
           "--removemissing";
  }
  const auto disks = static_cast<std::uint64_t>(std::ranges::count_if(group.disks, takes_extents));
  if (stripes <= 1 || disks >= stripes) return "";
  const std::string count = std::to_string(stripes);
  return "; " + count + " stripes need " + count + " disks, and the group has " + std::to_string(disks);
}

Result<const LogicalVolume*> find_volume(const Inventory& inventory, const VolumeName& name) {
  HOLDFAST_TRY(const VolumeGroup* group, find_group(inventory, name.group));
  const LogicalVolume* volume = group->volume(name.volume);
  if (volume == nullptr) {
    return fail(Code::kNotFound, "there is no volume " + name.volume + " in the volume group " + name.group);
  }
  return volume;
}

const LogicalVolume* thick_snapshot_of(const VolumeGroup& group, std::string_view volume) {
  const auto found = std::ranges::find_if(group.volumes, [volume](const LogicalVolume& other) {
    return other.origin == volume && other.layout != Layout::kThin;
  });
  return found == group.volumes.end() ? nullptr : &*found;
}

std::uint64_t extents_of(std::uint64_t size_bytes, std::uint64_t extent_bytes, std::uint32_t stripes) {
  if (extent_bytes == 0) return 0;
  const std::uint64_t extents = size_bytes / extent_bytes + (size_bytes % extent_bytes == 0 ? 0 : 1);
  const std::uint64_t odd = extents % stripes;
  return odd == 0 ? extents : extents + (stripes - odd);
}

std::uint64_t most_extents(const VolumeGroup& group, std::uint32_t stripes) {
  std::vector<std::uint64_t> free;
  for (const PhysicalVolume& disk : group.disks) {
    if (takes_extents(disk)) free.push_back(disk.free_extents);
  }
  if (group.missing_disks > 0) return 0;
  if (stripes <= 1) {
    std::uint64_t sum = 0;
    for (const std::uint64_t extents : free) sum += extents;
    return sum;
  }
  if (free.size() < stripes) return 0;
  std::ranges::sort(free, std::greater<>());
  return free[stripes - 1] * stripes;
}

bool has_room(const VolumeGroup& group, std::uint64_t extents, std::uint32_t stripes) {
  return extents <= most_extents(group, stripes);
}

void take_extents(VolumeGroup& group, std::uint64_t extents, std::uint32_t stripes) {
  std::vector<std::size_t> order(group.disks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater<>(),
                           [&group](std::size_t i) { return group.disks[i].free_extents; });
  const std::uint64_t each = stripes > 1 ? extents / stripes : extents;
  for (const std::size_t i : order) {
    PhysicalVolume& disk = group.disks[i];
    if (!takes_extents(disk)) continue;
    const std::uint64_t taken = std::min({each, extents, disk.free_extents});
    disk.free_extents -= taken;
    extents -= taken;
  }
}

Status why_not_created(const Inventory& after, const NewVolume& wanted, std::string_view said) {
  HOLDFAST_TRY(const VolumeGroup* group, find_group(after, wanted.name.group));
  if (group->volume(wanted.name.volume) != nullptr) {
    return fail(Code::kAlreadyExists, "the volume " + wanted.name.text() + " exists already");
  }
  if (!wanted.pool.empty()) {
    const LogicalVolume* pool = group->volume(wanted.pool);
    if (pool == nullptr || pool->layout != Layout::kThinPool) {
      return fail(Code::kNotFound,
                  "there is no thin pool " + wanted.pool + " in the volume group " + group->name);
    }
    if (group->missing_disks > 0) return no_room(*group, wanted.size_bytes, 1);
    return told_by_lvm("create " + wanted.name.text(), said);
  }
  if (!has_room(*group, extents_of(wanted.size_bytes, group->extent_bytes, wanted.stripes), wanted.stripes)) {
    return no_room(*group, wanted.size_bytes, wanted.stripes);
  }
  return told_by_lvm("create " + wanted.name.text(), said);
}

std::uint64_t pool_metadata_bytes(std::uint64_t size_bytes, std::uint64_t extent_bytes) {
  constexpr std::uint64_t kLeast = std::uint64_t{2} << 20;
  constexpr std::uint64_t kShare = 1000;  // a little more than 64 bytes for 64 KiB
  return extents_of(std::max(size_bytes / kShare + 1, kLeast), extent_bytes, 1) * extent_bytes;
}

Status why_no_pool(const Inventory& after, const NewPool& wanted, std::string_view said) {
  HOLDFAST_TRY(const VolumeGroup* group, find_group(after, wanted.name.group));
  if (group->volume(wanted.name.volume) != nullptr) {
    return fail(Code::kAlreadyExists, "the volume " + wanted.name.text() + " exists already");
  }
  const std::uint64_t extent = group->extent_bytes;
  const std::uint64_t bytes =
      extents_of(wanted.size_bytes, extent, 1) * extent + 2 * pool_metadata_bytes(wanted.size_bytes, extent);
  if (!has_room(*group, extents_of(bytes, extent, 1), 1)) return no_room(*group, bytes, 1);
  return told_by_lvm("create " + wanted.name.text(), said);
}

Status why_no_snapshot(const Inventory& after, const NewSnapshot& wanted, std::string_view said) {
  HOLDFAST_TRY(const LogicalVolume* origin, find_volume(after, wanted.origin));
  const VolumeGroup& group = *after.group(wanted.origin.group);
  if (group.volume(wanted.name) != nullptr) {
    return fail(Code::kAlreadyExists, "the volume " + group.name + "/" + wanted.name + " exists already");
  }
  if (!origin->origin.empty() && origin->layout != Layout::kThin) {
    return fail(Code::kFailedPrecondition,
                wanted.origin.text() + " is a snapshot, and LVM takes no thick snapshot of a snapshot");
  }
  if (group.missing_disks > 0 || !has_room(group, extents_of(wanted.room_bytes, group.extent_bytes, 1), 1)) {
    return no_room(group, wanted.room_bytes, 1);
  }
  return told_by_lvm("take a snapshot of " + wanted.origin.text(), said);
}

Status why_not_extended(const Inventory& after, const VolumeName& name, std::uint64_t size_bytes,
                        std::string_view said) {
  HOLDFAST_TRY(const LogicalVolume* volume, find_volume(after, name));
  if (volume->size_bytes >= size_bytes) return {};
  const VolumeGroup& group = *after.group(name.group);
  const std::uint64_t more = size_bytes - volume->size_bytes;
  const LogicalVolume* snapshot = thick_snapshot_of(group, name.volume);
  if (snapshot != nullptr && volume->active) {
    return fail(Code::kFailedPrecondition, "the volume " + name.text() + " has the snapshot " +
                                               snapshot->name +
                                               " and does not grow while it is active; delete the snapshot");
  }
  if (volume->layout != Layout::kThin &&
      !has_room(group, extents_of(more, group.extent_bytes, volume->stripes), volume->stripes)) {
    return no_room(group, more, volume->stripes);
  }
  return told_by_lvm("extend " + name.text(), said);
}

Status why_metadata_not_extended(const Inventory& after, const VolumeName& pool, std::uint64_t size_bytes,
                                 std::string_view said) {
  HOLDFAST_TRY(const LogicalVolume* found, find_volume(after, pool));
  if (found->layout != Layout::kThinPool) {
    return fail(Code::kNotFound, "the volume " + pool.text() + " is no thin pool");
  }
  if (found->metadata_bytes >= size_bytes) return {};
  const VolumeGroup& group = *after.group(pool.group);
  const std::uint64_t more = size_bytes - found->metadata_bytes;
  if (!has_room(group, extents_of(more, group.extent_bytes, 1), 1)) return no_room(group, more, 1);
  return told_by_lvm("extend the metadata of " + pool.text(), said);
}

Status why_not_switched(const Inventory& after, const VolumeName& name, bool active, std::string_view said) {
  HOLDFAST_TRY(const LogicalVolume* volume, find_volume(after, name));
  if (volume->active == active) return {};
  if (!active && volume->open) {
    return fail(Code::kFailedPrecondition, "the volume " + name.text() + " is in use");
  }
  if (active && volume->partial) {
    return fail(Code::kFailedPrecondition, "the volume " + name.text() +
                                               " lies in part on a disk that is missing; bring it back, or "
                                               "delete the volume");
  }
  return told_by_lvm((active ? "activate " : "deactivate ") + name.text(), said);
}

Status why_not_refreshed(const Inventory& after, const VolumeName& name, std::string_view said) {
  HOLDFAST_TRY(const LogicalVolume* volume, find_volume(after, name));
  return volume->unsettled ? Status(told_by_lvm("refresh " + name.text(), said)) : Status();
}

Status why_not_tagged(const Inventory& after, const VolumeName& name, const std::vector<std::string>& removed,
                      const std::vector<std::string>& added, std::string_view said) {
  HOLDFAST_TRY(const LogicalVolume* volume, find_volume(after, name));
  if (are_changed(volume->tags, removed, added)) return {};
  return told_by_lvm("change the tags of " + name.text(), said);
}

Status why_group_not_tagged(const Inventory& after, const std::string& group,
                            const std::vector<std::string>& removed, const std::vector<std::string>& added,
                            std::string_view said) {
  HOLDFAST_TRY(const VolumeGroup* found, find_group(after, group));
  if (are_changed(found->tags, removed, added)) return {};
  return told_by_lvm("change the tags of the volume group " + group, said);
}

Status why_not_removed(const Inventory& after, const VolumeName& name, std::string_view said) {
  HOLDFAST_TRY(const VolumeGroup* group, find_group(after, name.group));
  const LogicalVolume* volume = group->volume(name.volume);
  if (volume == nullptr) return {};
  if (volume->open) return fail(Code::kFailedPrecondition, "the volume " + name.text() + " is in use");
  return told_by_lvm("remove " + name.text(), said);
}

Status why_no_group(const Inventory& after, const GroupDisks& wanted, std::string_view said) {
  if (after.group(wanted.group) != nullptr) {
    return fail(Code::kAlreadyExists, "there is a volume group " + wanted.group);
  }
  return fail(Code::kFailedPrecondition,
              "make the volume group " + wanted.group + ": " + std::string(trim(said)));
}

Status why_not_in_group(const Inventory& after, const GroupDisks& wanted, std::string_view said) {
  HOLDFAST_TRY(const VolumeGroup* group, find_group(after, wanted.group));
  const auto outside = std::ranges::find_if(wanted.devices, [group](const std::string& device) {
    return std::ranges::find(group->disks, device, &PhysicalVolume::device) == group->disks.end();
  });
  if (outside == wanted.devices.end()) return {};
  return fail(Code::kFailedPrecondition,
              *outside + " is not in the volume group " + wanted.group + ": " + std::string(trim(said)));
}

Status may_remove(const Inventory& before, const VolumeName& name) {
  HOLDFAST_TRY(const VolumeGroup* group, find_group(before, name.group));
  const LogicalVolume* volume = group->volume(name.volume);
  const bool pool = volume != nullptr && volume->layout == Layout::kThinPool;
  for (const LogicalVolume& other : group->volumes) {
    if (pool && other.pool == name.volume) {
      return fail(Code::kFailedPrecondition,
                  "the pool " + name.text() + " holds the volume " + other.name + "; remove that first");
    }
  }
  if (const LogicalVolume* snapshot = thick_snapshot_of(*group, name.volume); snapshot != nullptr) {
    return fail(Code::kFailedPrecondition,
                "the volume " + name.text() + " has the snapshot " + snapshot->name + "; remove that first");
  }
  return {};
}

}  // namespace holdfast::lvm
