#include "csi-lvm/volumes/local_volume.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/base/sha.h"
#include "common/block/encryption.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/volumes/volume_tags.h"

namespace holdfast::lvm {
namespace {

constexpr std::string_view kPrefix = "csi-";
// Of device-mapper's 127 bytes the group takes some, and LVM's own endings ("-real", "_tdata") others.
constexpr std::size_t kLongestDeviceName = 80;
constexpr std::size_t kHashDigits = 32;
constexpr std::uint64_t kWhole = 100;

bool fits(const std::string& name) {
  const auto hyphens = static_cast<std::size_t>(std::ranges::count(name, '-'));
  return check_name(name).has_value() && name.size() + hyphens <= kLongestDeviceName;
}

}  // namespace

std::string lv_name_of(const std::string& name) {
  if (fits(name)) return name;
  std::string marked = std::string(kPrefix) + name;
  if (fits(marked)) return marked;
  return std::string(kPrefix) + sha512_hex(name).substr(0, kHashDigits);
}

std::string device_path(const VolumeName& name) { return "/dev/" + name.text(); }

std::string doubled_hyphens(std::string_view name) {
  std::string out;
  for (const char c : name) out.append(c == '-' ? 2 : 1, c);
  return out;
}

std::string mapping_of(const VolumeName& name) {
  return "luks-" + doubled_hyphens(name.group) + "-" + doubled_hyphens(name.volume);
}

std::string used_device(const LocalVolume& volume) {
  return volume.encrypted ? block::clear_path(mapping_of(volume.name)) : device_path(volume.name);
}

Result<std::optional<FoundVolume>> find_in(const Inventory& inventory, const std::string& id) {
  std::optional<FoundVolume> found;
  for (const VolumeGroup& group : inventory.groups) {
    const LogicalVolume* volume = group.volume(id);
    if (volume == nullptr || volume->layout == Layout::kThinPool || is_made_pool(*volume)) continue;
    if (found) {
      return fail(Code::kFailedPrecondition, "the volume groups " + found->name.group + " and " + group.name +
                                                 " both have a volume " + id + "; rename one of them");
    }
    found = FoundVolume{.name = {group.name, id}, .volume = *volume, .group = group};
  }
  return found;
}

tl::unexpected<Error> not_there(const std::string& id) {
  return fail(Code::kNotFound, "there is no volume " + id + " on this node");
}

Result<Inventory> look(Lvm& lvm, CapacityBook& book, Lvm::Patience patience) {
  HOLDFAST_TRY(Inventory inventory, lvm.look(patience));
  book.update(inventory);
  return inventory;
}

std::string_view state_of(const LogicalVolume& volume) { return volume.tag_value(kStateTag); }

bool is_thick(const LogicalVolume& volume) {
  return volume.layout == Layout::kLinear || volume.layout == Layout::kStriped;
}

bool is_half(const LogicalVolume& volume) {
  return state_of(volume) == kCreating || state_of(volume) == kDeleting;
}

bool is_made_pool(const LogicalVolume& volume) { return volume.has_tag(tag(kPoolTag, kMade)); }

bool is_encrypted(const LogicalVolume& volume) { return !volume.tag_value(kEncryptedTag).empty(); }

bool shows_extents(const LogicalVolume& volume) {
  return is_thick(volume) && (state_of(volume).empty() || volume.tag_value(kModeTag) == kBlock);
}

bool needs_files(const LogicalVolume& volume) {
  return is_thick(volume) && !shows_extents(volume) && !is_encrypted(volume);
}

bool gets_dirty_blocks(const VolumeGroup& group, const LogicalVolume& volume) {
  return volume.layout == Layout::kThin && !is_encrypted(volume) && !check_zeroes(group, volume.pool);
}

Status check_zeroes(const VolumeGroup& group, const std::string& name) {
  const LogicalVolume* pool = group.volume(name);
  if (pool == nullptr || pool->layout != Layout::kThinPool || pool->zeroes) return {};
  const std::string both = group.name + "/" + name;
  return fail(Code::kFailedPrecondition, "the thin pool " + both +
                                             " does not zero what it gives, and a raw volume of it would "
                                             "show what earlier volumes left: lvchange --zero y " +
                                             both);
}

bool is_snapshot(const LogicalVolume& volume) { return !volume.tag_value(kTakenTag).empty(); }

bool has_volumes_of_ours(const VolumeGroup& group) {
  return std::ranges::any_of(group.volumes, [](const LogicalVolume& volume) {
    return !state_of(volume).empty() || is_made_pool(volume);
  });
}

// A raw volume is in a pool that zeroes what it gives (check_zeroes()): wiping it would only fill that.
Wipe wipe_of(const LogicalVolume& volume) {
  if (volume.layout == Layout::kThin) return Wipe::kNone;
  return parse_wipe(volume.tag_value(kWipeTag)).value_or(Wipe::kNone);
}

std::uint64_t shown_size(const VolumeGroup& group, const LogicalVolume& volume) {
  if (volume.origin.empty() || volume.layout == Layout::kThin) return volume.size_bytes;
  const LogicalVolume* origin = group.volume(volume.origin);
  return origin == nullptr ? volume.size_bytes : origin->size_bytes;
}

std::uint64_t room_for_changes(const LogicalVolume& volume, const SnapshotRoom& room) {
  if (volume.layout == Layout::kThin) return 0;
  if (room.bytes > 0) return room.bytes;
  return std::max<std::uint64_t>(volume.size_bytes / kWhole * room.percent, 1);
}

Room room_of(const NewSnapshot& snapshot, const FoundVolume& source) {
  const bool thin = source.volume.layout == Layout::kThin;
  return {.group = source.name.group,
          .size_bytes = thin ? source.volume.size_bytes : snapshot.room_bytes,
          .stripes = 1,
          .pool = source.volume.pool,
          .of_spare = true};
}

LocalVolume told(const VolumeGroup& group, const LogicalVolume& volume, const PoolLimits& limits) {
  LocalVolume out{
      .name = {group.name, volume.name},
      .size_bytes = shown_size(group, volume),
      .source = std::string(volume.tag_value(kSourceTag)),
      .from_snapshot = volume.tag_value(kFromTag) == kSnapshot,
      .taken = 0,
      .content = std::string(volume.tag_value(kContentTag)),
      .active = volume.active,
      .of_pod = volume.tag_value(kLifeTag) == kPodsLife,
      .unused_copy = !volume.tag_value(kFromTag).empty() && volume.tag_value(kPublishedTag).empty(),
      .files_only = needs_files(volume) || gets_dirty_blocks(group, volume),
      .encrypted = is_encrypted(volume),
      .ailments = ailments_of(group, volume, limits)};
  const std::string_view taken = volume.tag_value(kTakenTag);
  std::from_chars(taken.data(), taken.data() + taken.size(), out.taken);
  return out;
}

}  // namespace holdfast::lvm
