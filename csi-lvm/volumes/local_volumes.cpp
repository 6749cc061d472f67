#include "csi-lvm/volumes/local_volumes.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/base/first_error.h"
#include "common/csi/answers.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/lvm/lvm_faults.h"
#include "csi-lvm/volumes/volume_tags.h"

namespace holdfast::lvm {
namespace {

constexpr std::uint64_t kSmallestXfs = std::uint64_t{300} << 20;  // mkfs.xfs refuses less
constexpr std::uint64_t kWhole = 100;

std::string_view state_of(const LogicalVolume& volume) { return volume.tag_value(kStateTag); }

bool is_thick(const LogicalVolume& volume) {
  return volume.layout == Layout::kLinear || volume.layout == Layout::kStriped;
}

bool is_snapshot(const LogicalVolume& volume) { return !volume.tag_value(kTakenTag).empty(); }

std::uint32_t stripes_of(const Parameters& parameters, const VolumeGroup& group) {
  if (parameters.stripes > 0) return parameters.stripes;
  return static_cast<std::uint32_t>(std::max<std::size_t>(group.disks.size(), 1));
}

// Whole extents of each stripe, `required` at least. Errors: kOutOfRange above the limit.
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

Status check_bounds(const VolumeRequest& wanted) {
  if (wanted.limit_bytes > 0 && wanted.required_bytes > wanted.limit_bytes) {
    return fail(Code::kInvalidArgument, "the required size is larger than the limit");
  }
  const bool xfs = !wanted.block && wanted.parameters.fs_type == "xfs";
  if (xfs && wanted.required_bytes < kSmallestXfs) {
    return fail(Code::kOutOfRange, "an xfs file system needs " + std::to_string(kSmallestXfs) +
                                       " bytes; ask for more, or for ext4");
  }
  return {};
}

LocalVolume told(const VolumeName& name, const LogicalVolume& volume, std::uint64_t size_bytes) {
  LocalVolume out{.name = name,
                  .size_bytes = size_bytes,
                  .source = std::string(volume.tag_value(kSourceTag)),
                  .taken = 0,
                  .content = std::string(volume.tag_value(kContentTag)),
                  .active = volume.active,
                  .of_pod = volume.tag_value(kLifeTag) == kPodsLife};
  const std::string_view taken = volume.tag_value(kTakenTag);
  std::from_chars(taken.data(), taken.data() + taken.size(), out.taken);
  return out;
}

// A thick snapshot's own size is its room for changes; what it shows is as large as its origin.
std::uint64_t shown_size(const VolumeGroup& group, const LogicalVolume& volume) {
  if (volume.origin.empty() || volume.layout == Layout::kThin) return volume.size_bytes;
  const LogicalVolume* origin = group.volume(volume.origin);
  return origin == nullptr ? volume.size_bytes : origin->size_bytes;
}

std::vector<std::string> first_tags(const VolumeRequest& wanted, const std::string& cluster) {
  std::vector<std::string> tags = wanted.parameters.tags;
  tags.push_back(tag(kStateTag, kCreating));
  tags.push_back(tag(kContentTag, "new"));
  tags.push_back(tag(kWipeTag, to_string(wanted.parameters.wipe)));
  if (wanted.block) tags.push_back(tag(kModeTag, kBlock));
  if (!cluster.empty()) tags.push_back(tag(kClusterTag, cluster));
  return tags;
}

Wipe wipe_of(const LogicalVolume& volume) {
  return parse_wipe(volume.tag_value(kWipeTag)).value_or(Wipe::kNone);
}

}  // namespace

LocalVolumes::LocalVolumes(Lvm& lvm, CapacityBook& book, ExtentCleaner& cleaner, Clock& clock,
                           std::string cluster)
    : lvm_(lvm), book_(book), cleaner_(cleaner), clock_(clock), cluster_(std::move(cluster)) {}

Result<Inventory> LocalVolumes::look(Patience patience) {
  HOLDFAST_TRY(Inventory inventory, lvm_.look(patience));
  book_.update(inventory);
  return inventory;
}

Status LocalVolumes::refresh(Patience patience) {
  HOLDFAST_CHECK(look(patience));
  return {};
}

Result<std::optional<LocalVolumes::Found>> LocalVolumes::search(const std::string& id, Patience patience) {
  HOLDFAST_CHECK(check_name(id));
  HOLDFAST_TRY(const Inventory inventory, look(patience));
  std::optional<Found> found;
  for (const VolumeGroup& group : inventory.groups) {
    const LogicalVolume* volume = group.volume(id);
    if (volume == nullptr) continue;
    if (found) {
      return fail(Code::kFailedPrecondition, "the volume groups " + found->name.group + " and " + group.name +
                                                 " both have a volume " + id + "; rename one of them");
    }
    found = Found{.name = {group.name, id}, .volume = *volume, .group = group};
  }
  return found;
}

Status LocalVolumes::recover(Patience patience) {
  HOLDFAST_TRY(const Inventory inventory, look(patience));
  FirstError first;
  for (const VolumeGroup& group : inventory.groups) {
    for (const LogicalVolume& volume : group.volumes) {
      const std::string_view state = state_of(volume);
      const bool half = state == kCreating || state == kDeleting;
      if (!half || volume.tag_value(kClusterTag) != cluster_) continue;
      first.add(
          give_up({group.name, volume.name}, state == kDeleting ? wipe_of(volume) : Wipe::kNone, patience));
    }
  }
  first.add(refresh(patience));
  return first.result();
}

Result<LocalVolume> LocalVolumes::create(const VolumeRequest& wanted, Patience patience) {
  HOLDFAST_CHECK(check_volume_name(wanted.parameters.group, wanted.name));
  HOLDFAST_CHECK(check_bounds(wanted));
  if (!book_.group(wanted.parameters.group)) HOLDFAST_CHECK(refresh(patience));
  if (!book_.has_volume(wanted.name)) {
    // The common case, without asking LVM what there is: that would take longer than the making.
    auto made = make(wanted, patience);
    if (made || made.error().code != Code::kAlreadyExists) return made;
  }
  HOLDFAST_TRY(const std::optional<Found> found, search(wanted.name, patience));
  return found ? again(wanted, *found, patience) : make(wanted, patience);
}

Result<LocalVolume> LocalVolumes::again(const VolumeRequest& wanted, const Found& found, Patience patience) {
  const LogicalVolume& volume = found.volume;
  if (state_of(volume) == kDeleting) {
    return fail(Code::kAborted, "the volume " + found.name.text() + " is being deleted");
  }
  const bool fits = volume.size_bytes >= wanted.required_bytes &&
                    (wanted.limit_bytes == 0 || volume.size_bytes <= wanted.limit_bytes);
  const bool same_mode = state_of(volume).empty() || (volume.tag_value(kModeTag) == kBlock) == wanted.block;
  if (found.name.group != wanted.parameters.group || !fits || !same_mode || is_snapshot(volume) ||
      volume.pool != wanted.parameters.pool) {
    return fail(Code::kAlreadyExists, "there is another volume " + found.name.text() + ", of " +
                                          std::to_string(volume.size_bytes) + " bytes");
  }
  if (state_of(volume) == kCreating) {
    HOLDFAST_CHECK(make_ready(found.name, is_thick(volume), wanted.block, patience));
  }
  return told(found.name, volume, volume.size_bytes);
}

Result<LocalVolume> LocalVolumes::make(const VolumeRequest& wanted, Patience patience) {
  const Parameters& parameters = wanted.parameters;
  HOLDFAST_TRY(const VolumeGroup group, book_.group(parameters.group));
  const std::uint32_t stripes = stripes_of(parameters, group);
  NewVolume volume;
  volume.name = {parameters.group, wanted.name};
  HOLDFAST_TRY(volume.size_bytes,
               fitting_size(wanted.required_bytes, wanted.limit_bytes, group.extent_bytes, stripes));
  volume.stripes = stripes;
  volume.stripe_bytes = parameters.stripe_bytes;
  volume.pool = parameters.pool;
  volume.tags = first_tags(wanted, cluster_);
  HOLDFAST_TRY(const CapacityBook::Promise promise, book_.promise({.group = parameters.group,
                                                                   .size_bytes = volume.size_bytes,
                                                                   .stripes = stripes,
                                                                   .pool = parameters.pool,
                                                                   .of_spare = false}));
  HOLDFAST_CHECK(lvm_.create(volume, patience));
  book_.add(volume);
  HOLDFAST_CHECK(make_ready(volume.name, parameters.pool.empty(), wanted.block, patience));
  return LocalVolume{.name = volume.name, .size_bytes = volume.size_bytes, .source = {}, .taken = 0};
}

Status LocalVolumes::make_ready(const VolumeName& name, bool thick, bool block, Patience patience) {
  Status ready;
  if (thick) ready = block ? cleaner_.wipe(name, patience) : cleaner_.zero_superblocks(name);
  if (ready) {
    ready = lvm_.change_tags(name, {tag(kStateTag, kCreating)}, {tag(kStateTag, kReady)}, patience);
  }
  if (ready) return {};
  return tl::unexpected(csi::may_be_left(std::move(ready).error()));
}

Status LocalVolumes::remove(const std::string& id, Patience patience) {
  HOLDFAST_TRY(const std::optional<Found> found, search(id, patience));
  if (!found) return {};
  if (found->volume.open) {
    return fail(Code::kFailedPrecondition, "the volume " + found->name.text() + " is in use on this node");
  }
  Inventory alone;
  alone.groups.push_back(found->group);
  HOLDFAST_CHECK(may_remove(alone, found->name));
  const Status gone = give_up(found->name, wipe_of(found->volume), patience);
  if (!gone && gone.error().code != Code::kFailedPrecondition)
    return tl::unexpected(csi::may_be_left(gone.error()));
  HOLDFAST_CHECK(gone);
  return refresh(patience);
}

Status LocalVolumes::give_up(const VolumeName& name, Wipe wipe, Patience patience) {
  HOLDFAST_CHECK(lvm_.change_tags(name, {tag(kStateTag, kCreating), tag(kStateTag, kReady)},
                                  {tag(kStateTag, kDeleting)}, patience));
  if (wipe != Wipe::kNone) {
    HOLDFAST_CHECK(lvm_.activate(name, patience));
    HOLDFAST_CHECK(cleaner_.wipe(name, patience));
  }
  return lvm_.remove(name, patience);
}

Result<std::uint64_t> LocalVolumes::extend(const std::string& id, std::uint64_t required_bytes,
                                           std::uint64_t limit_bytes, Patience patience) {
  HOLDFAST_TRY(const std::optional<Found> found, search(id, patience));
  if (!found) return fail(Code::kNotFound, "there is no volume " + id + " on this node");
  const LogicalVolume& volume = found->volume;
  if (volume.size_bytes >= required_bytes) return volume.size_bytes;
  const std::uint64_t extent = found->group.extent_bytes;
  HOLDFAST_TRY(const std::uint64_t size, fitting_size(required_bytes, limit_bytes, extent, volume.stripes));
  HOLDFAST_TRY(const CapacityBook::Promise promise, book_.promise({.group = found->name.group,
                                                                   .size_bytes = size - volume.size_bytes,
                                                                   .stripes = volume.stripes,
                                                                   .pool = volume.pool,
                                                                   .of_spare = false}));
  HOLDFAST_CHECK(lvm_.extend(found->name, size, patience));
  const auto after = look(patience);
  return size;
}

Result<LocalVolume> LocalVolumes::snapshot(const std::string& name, const std::string& source,
                                           const SnapshotRoom& room, Patience patience) {
  HOLDFAST_TRY(const std::optional<Found> there, search(name, patience));
  if (there) {
    if (!is_snapshot(there->volume) || there->volume.tag_value(kSourceTag) != source) {
      return fail(Code::kAlreadyExists, "there is another volume or snapshot " + there->name.text());
    }
    return told(there->name, there->volume, shown_size(there->group, there->volume));
  }
  HOLDFAST_TRY(const std::optional<Found> origin, search(source, patience));
  if (!origin) return fail(Code::kNotFound, "there is no volume " + source + " on this node");
  NewSnapshot wanted;
  wanted.origin = origin->name;
  wanted.name = name;
  if (origin->volume.layout != Layout::kThin) {
    const std::uint64_t share = origin->volume.size_bytes / kWhole * room.percent;
    wanted.room_bytes = room.bytes > 0 ? room.bytes : std::max<std::uint64_t>(share, 1);
  }
  return take(wanted, *origin, patience);
}

Result<LocalVolume> LocalVolumes::take(const NewSnapshot& wanted, const Found& source, Patience patience) {
  NewSnapshot tagged = wanted;
  const std::string taken = std::to_string(clock_.now().time_since_epoch().count());
  tagged.tags = {tag(kStateTag, kReady), tag(kSourceTag, source.name.volume), tag(kTakenTag, taken)};
  const std::string_view content = source.volume.tag_value(kContentTag);
  if (!content.empty()) tagged.tags.push_back(tag(kContentTag, content));
  if (!cluster_.empty()) tagged.tags.push_back(tag(kClusterTag, cluster_));
  HOLDFAST_TRY(const CapacityBook::Promise promise, book_.promise({.group = source.name.group,
                                                                   .size_bytes = wanted.room_bytes,
                                                                   .stripes = 1,
                                                                   .pool = source.volume.pool,
                                                                   .of_spare = true}));
  HOLDFAST_CHECK(lvm_.create_snapshot(tagged, patience));
  const auto after = look(patience);
  LocalVolume made{.name = {source.name.group, wanted.name},
                   .size_bytes = source.volume.size_bytes,
                   .source = source.name.volume,
                   .taken = clock_.now().time_since_epoch().count(),
                   .content = std::string(content)};
  return made;
}

Result<std::vector<LocalVolume>> LocalVolumes::list(Patience patience) {
  HOLDFAST_TRY(const Inventory inventory, look(patience));
  std::vector<LocalVolume> all;
  for (const VolumeGroup& group : inventory.groups) {
    for (const LogicalVolume& volume : group.volumes) {
      if (state_of(volume) != kReady) continue;
      all.push_back(told({group.name, volume.name}, volume, shown_size(group, volume)));
    }
  }
  std::ranges::sort(all, {}, [](const LocalVolume& each) { return each.name.volume; });
  return all;
}

Result<LocalVolume> LocalVolumes::find(const std::string& id, Patience patience) {
  HOLDFAST_TRY(const std::optional<Found> found, search(id, patience));
  if (!found || state_of(found->volume) == kCreating || state_of(found->volume) == kDeleting) {
    return fail(Code::kNotFound, "there is no volume " + id + " on this node");
  }
  return told(found->name, found->volume, shown_size(found->group, found->volume));
}

}  // namespace holdfast::lvm
