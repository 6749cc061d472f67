#include "csi-lvm/volumes/volume_health.h"

#include <cmath>
#include <utility>

#include "csi-lvm/volumes/capacity.h"

namespace holdfast::lvm {
namespace {

void add_disk_ailment(const VolumeGroup& group, const LogicalVolume& volume, std::vector<Ailment>& found) {
  if (!volume.partial) return;
  found.push_back({.kind = Ailment::Kind::kInaccessible,
                   .reason = "DiskMissing",
                   .message = "a disk of the volume group " + group.name +
                              " is missing, and a part of the volume with it: bring the disk back, or "
                              "delete the volume"});
}

std::string sentence_of_pool(const LogicalVolume& pool) {
  std::string text = "the thin pool " + pool.name;
  const auto percent = [](double value) { return std::to_string(std::lround(value)) + " %"; };
  if (pool.data_percent) text += ", " + percent(*pool.data_percent) + " of its data in use";
  if (pool.metadata_percent) text += ", " + percent(*pool.metadata_percent) + " of its metadata in use";
  return text;
}

// Source: lvs(8), lv_health_status of thin pools.
void add_pool_ailment(const LogicalVolume& pool, const PoolLimits& limits, std::vector<Ailment>& found) {
  const std::string cure = ": delete volumes or snapshots of it, or add a disk to its volume group";
  Ailment ailment;
  if (pool.health == "failed") {
    ailment = {Ailment::Kind::kDataLoss, "PoolFailed",
               sentence_of_pool(pool) + ", has failed: repair it by lvconvert"};
  } else if (pool.health == "metadata_read_only") {
    ailment = {Ailment::Kind::kInaccessible, "PoolReadOnly",
               sentence_of_pool(pool) + ", takes no more writes: repair it by lvconvert"};
  } else if (pool.health == "out_of_data" || pool.data_percent.value_or(0) >= 100) {
    ailment = {Ailment::Kind::kInaccessible, "PoolFull", sentence_of_pool(pool) + ", is full" + cure};
  } else if (pool.data_percent && at_watermark(pool, limits)) {
    ailment = {Ailment::Kind::kDegraded, "PoolNearlyFull",
               sentence_of_pool(pool) + ", is nearly full" + cure};
  } else {
    return;
  }
  found.push_back(std::move(ailment));
}

void add_snapshot_ailments(const VolumeGroup& group, const LogicalVolume& volume,
                           std::vector<Ailment>& found) {
  const std::string how = " is lost, because more of its volume changed than it had room for: delete it";
  if (volume.lost) found.push_back({Ailment::Kind::kDataLoss, "SnapshotLost", "the snapshot" + how});
  for (const LogicalVolume& other : group.volumes) {
    if (other.origin != volume.name || !other.lost) continue;
    found.push_back({Ailment::Kind::kDegraded, "SnapshotLost", "its snapshot " + other.name + how});
  }
}

}  // namespace

std::vector<Ailment> ailments_of(const VolumeGroup& group, const LogicalVolume& volume,
                                 const PoolLimits& limits) {
  std::vector<Ailment> found;
  add_disk_ailment(group, volume, found);
  if (const LogicalVolume* pool = volume.pool.empty() ? nullptr : group.volume(volume.pool);
      pool != nullptr) {
    add_pool_ailment(*pool, limits, found);
  }
  add_snapshot_ailments(group, volume, found);
  return found;
}

}  // namespace holdfast::lvm
