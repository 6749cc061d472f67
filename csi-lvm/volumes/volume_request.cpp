#include "csi-lvm/volumes/volume_request.h"

#include <algorithm>
#include <utility>

#include "common/block/encryption.h"
#include "common/block/filesystem.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/lvm/lvm_faults.h"
#include "csi-lvm/volumes/volume_tags.h"

namespace holdfast::lvm {
namespace {

constexpr std::uint64_t kLeastRaw = 4096;  // a sector of any disk

std::uint32_t stripes_of(const Parameters& parameters, const VolumeGroup& group) {
  if (parameters.stripes > 0) return parameters.stripes;
  return static_cast<std::uint32_t>(std::max<std::size_t>(group.disks.size(), 1));
}

// The name that was asked for, where LVM has another and takes this as a tag.
void add_name_tag(const std::string& name, const std::string& lv_name, std::vector<std::string>& tags) {
  std::string kept = tag(kNameTag, name);
  if (lv_name != name && check_tag(kept)) tags.push_back(std::move(kept));
}

std::vector<std::string> first_tags(const VolumeRequest& wanted, const std::string& lv_name,
                                    const std::string& cluster) {
  std::vector<std::string> tags = wanted.parameters.tags;
  tags.push_back(tag(kStateTag, kCreating));
  tags.push_back(tag(kWipeTag, to_string(wanted.parameters.wipe)));
  if (!wanted.source) tags.push_back(tag(kContentTag, "new"));
  if (wanted.block) tags.push_back(tag(kModeTag, kBlock));
  if (wanted.parameters.encrypted) tags.push_back(tag(kEncryptedTag, kLuks2));
  if (!cluster.empty()) tags.push_back(tag(kClusterTag, cluster));
  add_name_tag(wanted.name, lv_name, tags);
  return tags;
}

bool same_source(const VolumeRequest& wanted, const LogicalVolume& volume) {
  const std::string_view from = volume.tag_value(kFromTag);
  if (!wanted.source) return from.empty();
  return from == (wanted.source->snapshot ? kSnapshot : kVolume) &&
         volume.tag_value(kSourceTag) == wanted.source->id;
}

bool same_size(const VolumeRequest& wanted, const LogicalVolume& volume) {
  const bool large = volume.size_bytes >= wanted.required_bytes || is_unfinished_copy(volume);
  return large && (wanted.limit_bytes == 0 || volume.size_bytes <= wanted.limit_bytes);
}

// What a class says of a volume's making. Of all disks (0) there may be more by now, and one that was made by
// another was asked for by nobody.
// Striped over all disks is over those that the group had then.
bool same_stripes(const Parameters& wanted, const FoundVolume& found) {
  const std::uint32_t stripes = found.volume.stripes;
  if (!is_thick(found.volume)) return true;
  return wanted.stripes == 0 ? stripes > 1 || found.group.disks.size() <= 1 : stripes == wanted.stripes;
}

bool same_making(const Parameters& wanted, const FoundVolume& found) {
  const LogicalVolume& volume = found.volume;
  if (state_of(volume).empty()) return true;
  const bool has_tags =
      std::ranges::all_of(wanted.tags, [&volume](const std::string& each) { return volume.has_tag(each); });
  const std::string_view wipe = volume.tag_value(kWipeTag);
  return same_stripes(wanted, found) && has_tags && (wipe.empty() || wipe == to_string(wanted.wipe));
}

// A volume that ends with its pod must be nobody else's.
bool same_life(const Parameters& wanted, const LogicalVolume& volume) {
  const bool of_pod = std::ranges::find(wanted.tags, tag(kLifeTag, kPodsLife)) != wanted.tags.end();
  return of_pod == (volume.tag_value(kLifeTag) == kPodsLife);
}

tl::unexpected<Error> too_small(const VolumeRequest& wanted, std::uint64_t least) {
  return fail(Code::kOutOfRange, "the volume " + wanted.name + " is asked for with " +
                                     std::to_string(wanted.required_bytes) + " bytes; one with " +
                                     (wanted.block ? "raw access" : wanted.parameters.fs_type) +
                                     (wanted.parameters.encrypted ? ", encrypted," : "") + " needs " +
                                     std::to_string(least) + " at least");
}

}  // namespace

Room room_in(const Parameters& parameters) {
  Room room;
  room.group = parameters.group;
  room.stripes = parameters.stripes;
  room.pool = parameters.pool;
  room.pool_bytes = parameters.pool_bytes;
  return room;
}

Status check_request(const VolumeRequest& wanted) {
  if (wanted.limit_bytes > 0 && wanted.required_bytes > wanted.limit_bytes) {
    return fail(Code::kInvalidArgument, "the required size is larger than the limit");
  }
  if (!wanted.parameters.pool.empty() && lv_name_of(wanted.name) == wanted.parameters.pool) {
    return fail(Code::kInvalidArgument,
                "the volume " + wanted.name + " cannot be called as its thin pool is: they are in one group");
  }
  if (!wanted.block) return check_mkfs(wanted.parameters);
  return {};
}

std::uint64_t least_bytes(const VolumeRequest& wanted) {
  if (wanted.source) return 0;
  const std::uint64_t around = wanted.parameters.encrypted ? block::kEncryptionBytes : 0;
  if (wanted.block) return around + kLeastRaw;
  return around +
         block::least_bytes(block::parse_fs_type(wanted.parameters.fs_type).value_or(block::FsType::kExt4));
}

Status check_mode(const VolumeRequest& wanted, const LogicalVolume& source) {
  const bool encrypted = is_encrypted(source);
  if (wanted.parameters.encrypted != encrypted) {
    return fail(Code::kInvalidArgument, "the volume " + wanted.name + " cannot be made from " + source.name +
                                            ", which is " + (encrypted ? "" : "not ") +
                                            "encrypted: the class of both must say the same of it");
  }
  if (!wanted.block || source.layout == Layout::kThin || source.tag_value(kModeTag) == kBlock) return {};
  return fail(Code::kInvalidArgument, "the raw volume " + wanted.name + " cannot be made from " +
                                          source.name +
                                          ", which has a file system: what earlier volumes left between its "
                                          "files would show");
}

Result<VolumeRequest> sized_for(const VolumeRequest& wanted, std::uint64_t source_bytes) {
  const std::uint64_t most = wanted.limit_bytes == 0 ? source_bytes : wanted.limit_bytes;
  if ((wanted.required_bytes > 0 && wanted.required_bytes < source_bytes) || most < source_bytes) {
    return fail(Code::kOutOfRange, "the volume " + wanted.name + " is asked for with less than the " +
                                       std::to_string(source_bytes) + " bytes of its source");
  }
  VolumeRequest sized = wanted;
  sized.required_bytes = std::max(wanted.required_bytes, source_bytes);
  return sized;
}

Result<std::uint64_t> fitting_size(std::uint64_t required, std::uint64_t limit, std::uint64_t extent_bytes,
                                   std::uint32_t stripes) {
  const std::uint64_t size =
      extents_of(std::max<std::uint64_t>(required, 1), extent_bytes, stripes) * extent_bytes;
  if (limit > 0 && size > limit) {
    return fail(Code::kOutOfRange, "no size of whole extents lies between " + std::to_string(required) +
                                       " and " + std::to_string(limit) + " bytes: the next is " +
                                       std::to_string(size));
  }
  return size;
}

Result<NewVolume> planned(const VolumeRequest& wanted, const VolumeName& name, const VolumeGroup& group,
                          const std::string& cluster) {
  if (wanted.block && !wanted.parameters.encrypted) {
    HOLDFAST_CHECK(check_zeroes(group, wanted.parameters.pool));
  }
  NewVolume volume;
  volume.name = name;
  volume.stripes = stripes_of(wanted.parameters, group);
  volume.stripe_bytes = wanted.parameters.stripe_bytes;
  volume.pool = wanted.parameters.pool;
  volume.tags = first_tags(wanted, name.volume, cluster);
  const std::uint64_t least = least_bytes(wanted);
  const std::uint64_t required = wanted.required_bytes == 0 ? least : wanted.required_bytes;
  HOLDFAST_TRY(volume.size_bytes,
               fitting_size(required, wanted.limit_bytes, group.extent_bytes, volume.stripes));
  if (volume.size_bytes < least) return too_small(wanted, least);
  return volume;
}

NewSnapshot planned_snapshot(const std::string& name, const FoundVolume& source, const SnapshotRoom& room,
                             std::int64_t taken, const std::string& cluster) {
  const LogicalVolume& volume = source.volume;
  NewSnapshot wanted{.origin = source.name,
                     .name = lv_name_of(name),
                     .room_bytes = room_for_changes(volume, room),
                     .tags = {tag(kStateTag, kCreating), tag(kSourceTag, volume.name),
                              tag(kTakenTag, std::to_string(taken))}};
  add_name_tag(name, wanted.name, wanted.tags);
  for (const std::string_view key : {kContentTag, kModeTag, kEncryptedTag}) {
    const std::string_view value = volume.tag_value(key);
    if (!value.empty()) wanted.tags.push_back(tag(key, value));
  }
  if (!cluster.empty()) wanted.tags.push_back(tag(kClusterTag, cluster));
  return wanted;
}

Status check_same(const VolumeRequest& wanted, const FoundVolume& found) {
  const LogicalVolume& volume = found.volume;
  const bool same_mode = state_of(volume).empty() || (volume.tag_value(kModeTag) == kBlock) == wanted.block;
  const bool same_way = state_of(volume).empty() || is_encrypted(volume) == wanted.parameters.encrypted;
  if (found.name.group == wanted.parameters.group && volume.pool == wanted.parameters.pool &&
      is_named(found, wanted.name) && same_mode && same_way && same_size(wanted, volume) &&
      same_source(wanted, volume) && !is_snapshot(volume) && same_making(wanted.parameters, found) &&
      same_life(wanted.parameters, volume)) {
    const std::uint64_t least = least_bytes(wanted);
    return volume.size_bytes >= least || state_of(volume).empty() ? Status() : too_small(wanted, least);
  }
  return fail(Code::kAlreadyExists, "there is another volume " + found.name.text() + ", of " +
                                        std::to_string(volume.size_bytes) +
                                        " bytes, or one that was made with other parameters");
}

bool is_named(const FoundVolume& found, const std::string& name) {
  const std::string_view first = found.volume.tag_value(kNameTag);
  if (!first.empty()) return first == name;
  return found.name.volume == name || !check_tag(tag(kNameTag, name));
}

bool is_unfinished_copy(const LogicalVolume& volume) {
  return state_of(volume) == kCreating && !volume.tag_value(kFromTag).empty();
}

}  // namespace holdfast::lvm
