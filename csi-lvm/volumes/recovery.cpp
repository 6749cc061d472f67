#include "common/base/first_error.h"
#include "csi-lvm/volumes/local_volumes.h"
#include "csi-lvm/volumes/pool_spare.h"
#include "csi-lvm/volumes/volume_tags.h"

// What LocalVolumes does about changes that were cut off.
namespace holdfast::lvm {

bool LocalVolumes::is_left_over(const LogicalVolume& volume) const {
  const std::string_view cluster = volume.tag_value(kClusterTag);
  const bool of_pod = volume.tag_value(kLifeTag) == kPodsLife;
  return is_half(volume) && (cluster == cluster_.get() || (of_pod && cluster.empty()));
}

Status LocalVolumes::clear_away(const VolumeName& name, const LogicalVolume& volume, Patience patience,
                                csi::VolumeHolds* holds) {
  if (holds == nullptr) {
    if (is_made_pool(volume)) return pools_.drop_half(name, patience);
    const Wipe wipe = state_of(volume) == kDeleting ? wipe_of(volume) : Wipe::kNone;
    return wipe_and_remove(name, wipe, patience);
  }
  using Kind = csi::VolumeHolds::Kind;
  const std::string_view target = volume.tag_value(kForTag);  // held by the name of the volume that it is for
  const Kind kind = target.empty() && is_snapshot(volume) ? Kind::kSnapshot : Kind::kVolume;
  const auto held =
      holds->hold(kind, target.empty() ? name.volume : target, "cleaning up after the last run");
  if (!held) return {};
  // It may have been finished, or have gone, before it was held.
  HOLDFAST_TRY(const Inventory now, look(patience));
  const VolumeGroup* group = now.group(name.group);
  const LogicalVolume* there = group == nullptr ? nullptr : group->volume(name.volume);
  if (there == nullptr || !is_left_over(*there)) return {};
  return clear_away(name, *there, patience, nullptr);
}

Status LocalVolumes::recover(Patience patience, csi::VolumeHolds* holds) {
  HOLDFAST_TRY(const Inventory inventory, look(patience));
  FirstError first;
  bool removed = false;
  // Before anything is removed: only now LVM knows all devices that belong to it.
  for (const VolumeGroup& group : inventory.groups) first.add(settle(group, patience));
  for (const VolumeGroup& group : inventory.groups) {
    for (const PoolSpare& spare : begun_spares(group, cluster_.get())) {
      removed = true;
      first.add(pools_.drop_half({group.name, spare.pool}, patience));
    }
  }
  // A volume does not go before the snapshots that live by it.
  for (const bool snapshots : {true, false}) {
    for (const VolumeGroup& group : inventory.groups) {
      for (const LogicalVolume& volume : group.volumes) {
        const bool turn = volume.origin.empty() != snapshots;
        if (!turn || !is_left_over(volume)) continue;
        removed = true;
        first.add(clear_away({group.name, volume.name}, volume, patience, holds));
      }
    }
  }
  const Result<Inventory> now = removed ? look(patience) : inventory;
  first.add(now ? lvm_.drop_strays(*now, patience) : Status(tl::unexpected(now.error())));
  return first.result();
}

Status LocalVolumes::settle(const VolumeGroup& group, Patience patience) {
  FirstError first;
  for (const LogicalVolume& volume : group.volumes) {
    // What another maker has suspended is his to resume, and a pool that is half made is none to be used.
    if (!volume.unsettled || state_of(volume).empty() || is_made_pool(volume)) continue;
    first.add(lvm_.refresh({group.name, volume.name}, patience));
  }
  return first.result();
}

}  // namespace holdfast::lvm
