#include "csi-lvm/volumes/local_volumes.h"

#include <algorithm>
#include <utility>

#include "common/csi/answers.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/lvm/lvm_faults.h"
#include "csi-lvm/volumes/volume_tags.h"

namespace holdfast::lvm {
namespace {

tl::unexpected<Error> left_behind(Error error) { return tl::unexpected(csi::may_be_left(std::move(error))); }

}  // namespace

LocalVolumes::LocalVolumes(Lvm& lvm, CapacityBook& book, ExtentCleaner& cleaner, ContentCopier& copier,
                           Clock& clock, std::string cluster, Places places)
    : lvm_(lvm),
      book_(book),
      cleaner_(cleaner),
      clock_(clock),
      cluster_(std::move(cluster)),
      pools_(lvm, book, PoolGrowth{}, cluster_),
      copies_(lvm, book, copier, cluster_),
      growth_(lvm, book, cleaner, cluster_),
      places_(std::move(places)) {}

Status LocalVolumes::refresh(Patience patience) {
  HOLDFAST_CHECK(look(patience));
  return {};
}

Result<LocalVolume> LocalVolumes::create(const VolumeRequest& wanted, Patience patience) {
  const VolumeName name{wanted.parameters.group, lv_name_of(wanted.name)};
  HOLDFAST_CHECK(check_volume_name(name.group, name.volume));
  HOLDFAST_CHECK(check_request(wanted));
  if (!is_known(wanted.parameters)) HOLDFAST_CHECK(refresh(patience));
  if (!wanted.source && !book_.has_volume(name.volume)) {
    // The common case, without asking LVM what there is: that would take longer than the making.
    auto made = make(wanted, name, patience);
    if (made || made.error().code != Code::kAlreadyExists) return made;
  }
  HOLDFAST_TRY(const Inventory now, look(patience));
  HOLDFAST_TRY(const std::optional<FoundVolume> found, find_in(now, name.volume));
  if (found) return again(wanted, now, *found, patience);
  return wanted.source ? make_copy(wanted, name, now, patience) : make(wanted, name, patience);
}

Result<LocalVolume> LocalVolumes::again(const VolumeRequest& wanted, const Inventory& now,
                                        const FoundVolume& found, Patience patience) {
  const LogicalVolume& volume = found.volume;
  if (state_of(volume) == kDeleting) {
    return fail(Code::kAborted, "the volume " + found.name.text() + " is being deleted");
  }
  HOLDFAST_CHECK(check_same(wanted, found));
  HOLDFAST_CHECK(settle(found.group, patience));
  if (is_unfinished_copy(volume)) {
    HOLDFAST_TRY(const std::uint64_t size,
                 fitting_size(std::max(wanted.required_bytes, volume.size_bytes), wanted.limit_bytes,
                              found.group.extent_bytes, volume.stripes));
    return finish_copy(now, found, size, patience);
  }
  if (state_of(volume) == kCreating) {
    if (!volume.active) HOLDFAST_CHECK(lvm_.activate(found.name, patience));
    HOLDFAST_CHECK(make_ready(found.name, is_thick(volume), wanted.block, patience));
  }
  if (wanted.source) HOLDFAST_CHECK(copies_.drop_temporary(now, found.name.volume, patience));
  return told(found.group, volume, book_.limits());
}

Result<NewVolume> LocalVolumes::plan(const VolumeRequest& wanted, const VolumeName& name) const {
  HOLDFAST_TRY(const VolumeGroup group, book_.group(name.group));
  return planned(wanted, name, group, cluster_.get());
}

Status LocalVolumes::place(const NewVolume& volume, std::uint64_t pool_bytes, Patience patience,
                           const std::function<Status()>& make) {
  const VolumeName pool{volume.name.group, volume.pool};
  if (pool_bytes > 0) HOLDFAST_CHECK(pools_.drop_half(pool, patience));
  HOLDFAST_TRY(const CapacityBook::Promise promised, promise({.group = volume.name.group,
                                                              .size_bytes = volume.size_bytes,
                                                              .stripes = volume.stripes,
                                                              .pool = volume.pool,
                                                              .of_spare = false,
                                                              .pool_bytes = pool_bytes},
                                                             patience));
  if (volume.pool.empty()) return make();
  HOLDFAST_TRY(const bool new_pool, pools_.ensure(pool, pool_bytes, patience));
  Status made = make();
  const Code code = made ? Code::kAborted : made.error().code;
  // Another call may have taken the pool back that it had made.
  if (pool_bytes > 0 && code == Code::kNotFound) {
    HOLDFAST_CHECK(refresh(patience));
    return left_behind(std::move(made).error());
  }
  // With a volume of another call in it, it stays.
  if (new_pool && csi::reaction_to(code) != csi::Reaction::kAskAgain) {
    static_cast<void>(lvm_.remove(pool, patience));
  }
  return made;
}

Result<LocalVolume> LocalVolumes::make(const VolumeRequest& wanted, const VolumeName& name,
                                       Patience patience) {
  HOLDFAST_TRY(const NewVolume volume, plan(wanted, name));
  HOLDFAST_CHECK(place(volume, wanted.parameters.pool_bytes, patience, [&] {
    cleaner_.forget(name);  // also where the answer is lost
    Status made = lvm_.create(volume, patience);
    if (!made) return made;
    book_.add(volume);
    return made;
  }));
  HOLDFAST_CHECK(make_ready(name, volume.pool.empty(), wanted.block, patience));
  return LocalVolume{.name = name, .size_bytes = volume.size_bytes, .encrypted = wanted.parameters.encrypted};
}

Result<LocalVolume> LocalVolumes::make_copy(const VolumeRequest& wanted, const VolumeName& name,
                                            const Inventory& now, Patience patience) {
  HOLDFAST_TRY(const FoundVolume source, VolumeCopies::find_source(now, *wanted.source));
  HOLDFAST_CHECK(check_mode(wanted, source.volume));
  if (wanted.block && !wanted.parameters.encrypted) {
    HOLDFAST_CHECK(check_zeroes(source.group, source.volume.pool));
  }
  HOLDFAST_TRY(const VolumeRequest sized, sized_for(wanted, shown_size(source.group, source.volume)));
  HOLDFAST_TRY(const NewVolume volume, plan(sized, name));
  HOLDFAST_CHECK(place(volume, wanted.parameters.pool_bytes, patience, [&] {
    cleaner_.forget(name);
    return copies_.make(volume, source, *wanted.source, patience);
  }));
  auto after = look(patience);
  if (!after) return left_behind(std::move(after).error());
  HOLDFAST_TRY(const std::optional<FoundVolume> made, find_in(*after, name.volume));
  if (!made) return fail(Code::kAborted, "the volume " + name.text() + " went away; ask again");
  return finish_copy(*after, *made, volume.size_bytes, patience);
}

// What cannot be finished by asking again is taken back.
Result<LocalVolume> LocalVolumes::finish_copy(const Inventory& now, const FoundVolume& found,
                                              std::uint64_t size_bytes, Patience patience) {
  const Status done = copies_.finish(now, found, size_bytes, patience);
  if (done) {
    LocalVolume volume = told(found.group, found.volume, book_.limits());
    volume.size_bytes = std::max(size_bytes, volume.size_bytes);
    return volume;
  }
  const Code code = done.error().code;
  if (code != Code::kNotFound && code != Code::kFailedPrecondition && code != Code::kResourceExhausted) {
    return left_behind(done.error());
  }
  const auto taken_back = [&]() -> Status {
    HOLDFAST_CHECK(copies_.drop_temporary(now, found.name.volume, patience));
    return give_up(found.name, Wipe::kNone, patience);
  }();
  if (!taken_back) return left_behind(done.error());
  return tl::unexpected(done.error());
}

Status LocalVolumes::make_ready(const VolumeName& name, bool thick, bool block, Patience patience) {
  Status ready;
  if (thick) ready = block ? cleaner_.wipe(name, patience) : cleaner_.zero_superblocks(name);
  if (ready) {
    ready = lvm_.change_tags(name, {tag(kStateTag, kCreating)}, {tag(kStateTag, kReady)}, patience);
  }
  if (ready) return {};
  return left_behind(std::move(ready).error());
}

Status LocalVolumes::remove(const std::string& id, Patience patience) {
  HOLDFAST_TRY(const Inventory now, look(patience));
  HOLDFAST_TRY(const std::optional<FoundVolume> found, find_in(now, id));
  if (found && is_snapshot(found->volume)) {
    return fail(Code::kInvalidArgument, id + " is a snapshot, not a volume");
  }
  HOLDFAST_CHECK(drop_temporaries(now, id, patience));
  if (!found) return check_gone(id, patience);
  return remove_found(*found, patience);
}

Status LocalVolumes::drop_temporaries(const Inventory& now, const std::string& id, Patience patience) {
  HOLDFAST_CHECK(growth_.drop_temporary(now, id, patience));
  return copies_.drop_temporary(now, id, patience);
}

Status LocalVolumes::remove_snapshot(const std::string& id, Patience patience) {
  HOLDFAST_TRY(const std::optional<FoundVolume> found, search(id, patience));
  if (!found) return check_gone(id, patience);
  if (!is_snapshot(found->volume)) {
    return fail(Code::kInvalidArgument, id + " is a volume, not a snapshot");
  }
  return remove_found(*found, patience);
}

Status LocalVolumes::remove_found(const FoundVolume& found, Patience patience) {
  if (found.volume.open) {
    return fail(Code::kFailedPrecondition, "the volume " + found.name.text() +
                                               " is in use on this node: findmnt --source " +
                                               device_path(found.name) +
                                               " tells where it is mounted, and lsblk "
                                               "what else stands on it");
  }
  Inventory alone;
  alone.groups.push_back(found.group);
  HOLDFAST_CHECK(may_remove(alone, found.name));
  HOLDFAST_CHECK(settle(found.group, patience));
  const Status gone = give_up(found.name, wipe_of(found.volume), patience);
  if (!gone && gone.error().code != Code::kFailedPrecondition) return left_behind(gone.error());
  HOLDFAST_CHECK(gone);
  return refresh(patience);
}

// Its device node in a pod would lead to the next volume that gets its number.
Status LocalVolumes::check_not_mounted(const VolumeName& name) const {
  if (!places_) return {};
  HOLDFAST_TRY(const std::vector<std::string> places, places_(device_path(name)));
  if (places.empty()) return {};
  return fail(Code::kFailedPrecondition, "the volume " + name.text() + " is in use on this node: it is at " +
                                             places.front() + "; unpublish and unstage it first");
}

Status LocalVolumes::give_up(const VolumeName& name, Wipe wipe, Patience patience) {
  HOLDFAST_CHECK(check_not_mounted(name));
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
  const auto after = look(patience);
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
    HOLDFAST_CHECK(give_up(there->name, Wipe::kNone, patience));
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
  return take(name, *origin, room, patience);
}

Result<LocalVolume> LocalVolumes::take(const std::string& name, const FoundVolume& source,
                                       const SnapshotRoom& room, Patience patience) {
  const std::int64_t now = clock_.now().time_since_epoch().count();
  const NewSnapshot wanted = planned_snapshot(name, source, room, now, cluster_.get());
  HOLDFAST_TRY(const CapacityBook::Promise promised, book_.promise(room_of(wanted, source)));
  const Status made = lvm_.create_snapshot(wanted, patience);
  // It was not there: what has its name is what LVM had made before it failed.
  if (!made && made.error().code == Code::kAlreadyExists) return left_behind(made.error());
  HOLDFAST_CHECK(made);
  HOLDFAST_CHECK(make_ready({source.name.group, wanted.name}, /*thick=*/false, /*block=*/false, patience));
  const auto after = look(patience);
  return LocalVolume{.name = {source.name.group, wanted.name},
                     .size_bytes = source.volume.size_bytes,
                     .source = source.name.volume,
                     .from_snapshot = false,
                     .taken = now,
                     .content = std::string(source.volume.tag_value(kContentTag)),
                     .encrypted = is_encrypted(source.volume)};
}

}  // namespace holdfast::lvm
