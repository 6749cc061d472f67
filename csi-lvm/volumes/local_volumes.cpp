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
  if (found) return answer_for_existing(wanted, now, *found, patience);
  return wanted.source ? make_copy(wanted, name, now, patience) : make(wanted, name, patience);
}

Result<LocalVolume> LocalVolumes::answer_for_existing(const VolumeRequest& wanted, const Inventory& now,
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
    if (is_thick(volume)) HOLDFAST_CHECK(clean(found.name, wanted, patience));
    HOLDFAST_CHECK(make_ready(found.name, patience));
  }
  if (wanted.source) HOLDFAST_CHECK(copies_.drop_temporary(now, found.name.volume, patience));
  return told(found.group, volume, book_.limits());
}

Result<NewVolume> LocalVolumes::plan(const VolumeRequest& wanted, const VolumeName& name) const {
  HOLDFAST_TRY(const VolumeGroup group, book_.group(name.group));
  return planned(wanted, name, group, cluster_.get());
}

Status LocalVolumes::make_in_room(const NewVolume& volume, std::uint64_t pool_bytes, Patience patience,
                                  const std::function<Status()>& make) {
  const VolumeName pool{volume.name.group, volume.pool};
  if (pool_bytes > 0) HOLDFAST_CHECK(pools_.drop_half(pool, patience));
  if (!volume.pool.empty()) HOLDFAST_CHECK(pools_.wake(pool, patience));
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
  HOLDFAST_CHECK(make_in_room(volume, wanted.parameters.pool_bytes, patience, [&] {
    cleaner_.forget(name);  // also where the answer is lost
    Status made = lvm_.create(volume, patience);
    if (!made) return made;
    book_.add(volume);
    return made;
  }));
  if (volume.pool.empty()) HOLDFAST_CHECK(clean(name, wanted, patience));
  HOLDFAST_CHECK(make_ready(name, patience));
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
  HOLDFAST_CHECK(make_in_room(volume, wanted.parameters.pool_bytes, patience, [&] {
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
    return wipe_and_remove(found.name, Wipe::kNone, patience);
  }();
  if (!taken_back) return left_behind(done.error());
  return tl::unexpected(done.error());
}

Status LocalVolumes::clean(const VolumeName& name, const VolumeRequest& wanted, Patience patience) {
  Status cleaned = wanted.block ? cleaner_.wipe(name, patience) : cleaner_.zero_superblocks(name);
  if (cleaned) return {};
  return left_behind(std::move(cleaned).error());
}

Status LocalVolumes::make_ready(const VolumeName& name, Patience patience) {
  Status ready = lvm_.change_tags(name, {tag(kStateTag, kCreating)}, {tag(kStateTag, kReady)}, patience);
  if (ready) return {};
  return left_behind(std::move(ready).error());
}

}  // namespace holdfast::lvm
