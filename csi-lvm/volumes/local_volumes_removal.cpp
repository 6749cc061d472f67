#include <utility>

#include "common/csi/answers.h"
#include "csi-lvm/lvm/lvm_faults.h"
#include "csi-lvm/volumes/local_volumes.h"
#include "csi-lvm/volumes/volume_tags.h"

// How LocalVolumes removes volumes and snapshots.
namespace holdfast::lvm {

Status LocalVolumes::remove(const std::string& id, Patience patience) {
  HOLDFAST_TRY(const Inventory now, look(patience));
  HOLDFAST_TRY(const std::optional<FoundVolume> found, find_in(now, id));
  if (found && is_snapshot(found->volume)) {
    return fail(Code::kInvalidArgument, id + " is a snapshot, not a volume");
  }
  HOLDFAST_CHECK(drop_temporaries(now, id, patience));
  if (!found) return check_gone(id, now, patience);
  return remove_found(*found, patience);
}

Status LocalVolumes::drop_temporaries(const Inventory& now, const std::string& id, Patience patience) {
  HOLDFAST_CHECK(growth_.drop_temporary(now, id, patience));
  return copies_.drop_temporary(now, id, patience);
}

Status LocalVolumes::remove_snapshot(const std::string& id, Patience patience) {
  HOLDFAST_TRY(const Inventory now, look(patience));
  HOLDFAST_TRY(const std::optional<FoundVolume> found, find_in(now, id));
  if (!found) return check_gone(id, now, patience);
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
  const Status gone = wipe_and_remove(found.name, wipe_of(found.volume), patience);
  if (!gone && gone.error().code != Code::kFailedPrecondition) {
    return tl::unexpected(csi::may_be_left(gone.error()));
  }
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

Status LocalVolumes::wipe_and_remove(const VolumeName& name, Wipe wipe, Patience patience) {
  HOLDFAST_CHECK(check_not_mounted(name));
  HOLDFAST_CHECK(lvm_.change_tags(name, {tag(kStateTag, kCreating), tag(kStateTag, kReady)},
                                  {tag(kStateTag, kDeleting)}, patience));
  if (wipe != Wipe::kNone) {
    HOLDFAST_CHECK(lvm_.activate(name, patience));
    HOLDFAST_CHECK(cleaner_.wipe(name, patience));
  }
  return lvm_.remove(name, patience);
}

}  // namespace holdfast::lvm
