// What LocalVolumes tells of volumes that are there.
#include <algorithm>
#include <utility>

#include "csi-lvm/volumes/local_volumes.h"
#include "csi-lvm/volumes/volume_tags.h"

namespace holdfast::lvm {
namespace {

// For so long the book is what LVM would tell.
constexpr std::chrono::seconds kBookLasts{1};

// A disk that is pulled, or cannot be read for a while, comes back with its volumes.
Status check_all_seen(const std::string& id, const std::vector<std::string>& unseen_disks) {
  if (unseen_disks.empty()) return {};
  std::string ids;
  for (const std::string& each : unseen_disks) ids += " " + each;
  return fail(Code::kUnavailable,
              "the volume " + id +
                  " is not on the disks that can be read, and may be on one that our devices file names and "
                  "that is not found:" +
                  ids +
                  "; bring it back, or where it is lost for good have its line taken out by lvm lvmdevices "
                  "--delpvid");
}

std::vector<LocalVolume> ready_ones(const Inventory& inventory, const PoolLimits& limits) {
  std::vector<LocalVolume> all;
  for (const VolumeGroup& group : inventory.groups) {
    for (const LogicalVolume& volume : group.volumes) {
      if (state_of(volume) == kReady) all.push_back(told(group, volume, limits));
    }
  }
  std::ranges::sort(all, {}, [](const LocalVolume& each) { return each.name.volume; });
  return all;
}

}  // namespace

Status LocalVolumes::refresh(Patience patience) {
  HOLDFAST_CHECK(look(patience));
  return {};
}

Status LocalVolumes::renew(Patience patience) {
  const std::scoped_lock lock(renewing_);
  if (renewed_ && clock_.since_boot() - *renewed_ < kBookLasts) return {};
  HOLDFAST_CHECK(refresh(patience));
  renewed_ = clock_.since_boot();
  return {};
}

bool LocalVolumes::is_known(const Parameters& place) const {
  const Result<VolumeGroup> group = book_.group(place.group);
  const bool must_be_there = !place.pool.empty() && place.pool_bytes == 0;
  return group && (!must_be_there || group->volume(place.pool) != nullptr);
}

// Somebody else may have removed a volume, or given the group a disk.
Result<CapacityBook::Promise> LocalVolumes::promise(const Room& room, Patience patience) {
  auto promised = book_.promise(room);
  if (promised || promised.error().code != Code::kResourceExhausted) return promised;
  HOLDFAST_CHECK(renew(patience));
  return book_.promise(room);
}

Result<std::optional<FoundVolume>> LocalVolumes::search(const std::string& id, Patience patience) {
  HOLDFAST_TRY(const Inventory inventory, look(patience));
  return find_in(inventory, id);
}

Status LocalVolumes::check_gone(const std::string& id, const Inventory& ours, Patience patience) {
  HOLDFAST_TRY(const Inventory host, lvm_.look_around(patience));
  HOLDFAST_TRY(const std::optional<FoundVolume> there, find_in(host, id));
  if (!there) return check_all_seen(id, ours.unseen_disks);
  std::string disks;
  for (const PhysicalVolume& disk : there->group.disks) disks += " " + disk.device;
  return fail(Code::kFailedPrecondition,
              "there is a volume " + there->name.text() + ", on disks that our devices file does not name:" +
                  disks + "; add them there by lvm lvmdevices --adddev, or remove the volume by lvremove");
}

Result<std::vector<LocalVolume>> LocalVolumes::list(Patience patience) {
  HOLDFAST_TRY(const Inventory inventory, look(patience));
  return ready_ones(inventory, book_.limits());
}

std::vector<LocalVolume> LocalVolumes::listed_last() const {
  return ready_ones(book_.inventory(), book_.limits());
}

Result<LocalVolume> LocalVolumes::find(const std::string& id, Patience patience) {
  HOLDFAST_TRY(const std::optional<FoundVolume> found, search(id, patience));
  if (!found || is_half(found->volume)) return not_there(id);
  if (found->volume.unsettled) HOLDFAST_CHECK(settle(found->group, patience));
  return told(found->group, found->volume, book_.limits());
}

Result<LocalVolume> LocalVolumes::locate(const std::string& id, Patience patience) {
  HOLDFAST_TRY(const std::optional<FoundVolume> known, find_in(book_.inventory(), id));
  if (!known) return find(id, patience);
  auto now = lvm_.look_at(known->name, patience);
  // It may be in another group by now.
  if (!now && now.error().code == Code::kNotFound) return find(id, patience);
  if (!now) return tl::unexpected(std::move(now).error());
  if (is_half(*now)) return not_there(id);
  // What another maker has suspended is his to resume.
  if (now->unsettled && !state_of(*now).empty()) HOLDFAST_CHECK(lvm_.refresh(known->name, patience));
  LocalVolume volume = told(known->group, *now, book_.limits());
  volume.ailments.clear();
  return volume;
}

}  // namespace holdfast::lvm
