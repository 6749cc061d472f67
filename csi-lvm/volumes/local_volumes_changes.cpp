#include <utility>

#include "common/csi/answers.h"
#include "csi-lvm/volumes/local_volumes.h"
#include "csi-lvm/volumes/volume_tags.h"

// How LocalVolumes lets volumes grow, and takes snapshots of them.
namespace holdfast::lvm {

Result<std::uint64_t> LocalVolumes::extend(const std::string& id, std::uint64_t required_bytes,
                                           std::uint64_t limit_bytes, Patience patience) {
  HOLDFAST_TRY(const std::optional<FoundVolume> found, search(id, patience));
  if (!found || is_half(found->volume) || is_snapshot(found->volume)) return not_there(id);
  const LogicalVolume& volume = found->volume;
  if (limit_bytes > 0 && volume.size_bytes > limit_bytes) {
    return fail(Code::kOutOfRange, "the volume " + found->name.text() + " has " +
                                       std::to_string(volume.size_bytes) + " bytes, more than the limit of " +
                                       std::to_string(limit_bytes) + ", and does not shrink");
  }
  // It may have the size, and its device not.
  HOLDFAST_CHECK(settle(found->group, patience));
  if (volume.size_bytes >= required_bytes) {
    HOLDFAST_CHECK(clean_unused(*found, patience));
    return volume.size_bytes;
  }
  const std::uint64_t extent = found->group.extent_bytes;
  HOLDFAST_TRY(const std::uint64_t size, fitting_size(required_bytes, limit_bytes, extent, volume.stripes));
  HOLDFAST_CHECK(shows_extents(volume) ? growth_.grow(*found, size, patience)
                                       : extend_at_once(*found, size, patience));
  HOLDFAST_CHECK(clean_unused(*found, patience));
  static_cast<void>(refresh(patience));  // of the book alone: it has grown, whatever LVM answers now
  return size;
}

Status LocalVolumes::extend_at_once(const FoundVolume& found, std::uint64_t size_bytes, Patience patience) {
  HOLDFAST_TRY(const CapacityBook::Promise promise,
               book_.promise({.group = found.name.group,
                              .size_bytes = size_bytes - found.volume.size_bytes,
                              .stripes = found.volume.stripes,
                              .pool = found.volume.pool,
                              .of_spare = false}));
  return lvm_.extend(found.name, size_bytes, patience);
}

// What an earlier tenant left in the extents that it grew by would pass for its content when it is first
// staged.
Status LocalVolumes::clean_unused(const FoundVolume& found, Patience patience) {
  const LogicalVolume& volume = found.volume;
  const bool unused = volume.tag_value(kContentTag) == "new" && volume.tag_value(kModeTag) != kBlock;
  if (!unused || !is_thick(volume)) return {};
  if (!volume.active) HOLDFAST_CHECK(lvm_.activate(found.name, patience));
  return cleaner_.zero_superblocks(found.name);
}

Result<LocalVolume> LocalVolumes::snapshot(const std::string& name, const std::string& source,
                                           const SnapshotRoom& room, Patience patience) {
  HOLDFAST_TRY(const Inventory now, look(patience));
  HOLDFAST_TRY(std::optional<FoundVolume> there, find_in(now, lv_name_of(name)));
  if (there && is_snapshot(there->volume) && is_half(there->volume)) {
    // LVM makes a plain volume, then a snapshot of it, then a device: cut off, it may be any of these.
    HOLDFAST_CHECK(settle(there->group, patience));
    HOLDFAST_CHECK(wipe_and_remove(there->name, Wipe::kNone, patience));
    HOLDFAST_TRY(const Inventory after, look(patience));
    HOLDFAST_CHECK(lvm_.drop_strays(after, patience));
    there.reset();
  }
  if (there) {
    if (!is_snapshot(there->volume) || there->volume.tag_value(kSourceTag) != source ||
        !is_named(*there, name)) {
      return fail(Code::kAlreadyExists, "there is another volume or snapshot " + there->name.text());
    }
    return told(there->group, there->volume, book_.limits());
  }
  HOLDFAST_TRY(const std::optional<FoundVolume> origin, find_in(now, source));
  if (!origin || is_half(origin->volume)) return not_there(source);
  if (is_snapshot(origin->volume)) {
    return fail(Code::kInvalidArgument, source + " is a snapshot: make a volume from it first");
  }
  return make_snapshot(name, *origin, room, patience);
}

Result<LocalVolume> LocalVolumes::make_snapshot(const std::string& name, const FoundVolume& source,
                                                const SnapshotRoom& room, Patience patience) {
  const std::int64_t now = clock_.now().time_since_epoch().count();
  const NewSnapshot wanted = planned_snapshot(name, source, room, now, cluster_.get());
  HOLDFAST_TRY(const CapacityBook::Promise promised, book_.promise(room_of(wanted, source)));
  const Status made = lvm_.create_snapshot(wanted, patience);
  // It was not there: what has its name is what LVM had made before it failed.
  if (!made && made.error().code == Code::kAlreadyExists)
    return tl::unexpected(csi::may_be_left(made.error()));
  HOLDFAST_CHECK(made);
  HOLDFAST_CHECK(make_ready({source.name.group, wanted.name}, patience));
  static_cast<void>(refresh(patience));  // likewise
  return LocalVolume{.name = {source.name.group, wanted.name},
                     .size_bytes = source.volume.size_bytes,
                     .source = source.name.volume,
                     .from_snapshot = false,
                     .taken = now,
                     .content = std::string(source.volume.tag_value(kContentTag)),
                     .encrypted = is_encrypted(source.volume)};
}

}  // namespace holdfast::lvm
