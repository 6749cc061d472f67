#include "csi-lvm/volumes/thin_pools.h"

#include <algorithm>
#include <utility>

#include "common/base/first_error.h"
#include "csi-lvm/lvm/lvm_faults.h"
#include "csi-lvm/volumes/local_volume.h"
#include "csi-lvm/volumes/volume_tags.h"

namespace holdfast::lvm {
namespace {

constexpr std::uint64_t kWhole = 100;
// More than this LVM does not use. Source: lvmthin(7), "Maximum metadata size".
constexpr std::uint64_t kMostMetadata = std::uint64_t{15} << 30;

Room room_of(const VolumeGroup& group, std::uint64_t size_bytes, bool of_spare) {
  return {.group = group.name,
          .size_bytes = size_bytes,
          .stripes = 1,
          .pool = {},
          .of_spare = of_spare,
          .pool_bytes = 0};
}

std::uint64_t whole_extents(std::uint64_t bytes, std::uint64_t extent_bytes) {
  return extents_of(bytes, extent_bytes, 1) * extent_bytes;
}

}  // namespace

ThinPools::ThinPools(Lvm& lvm, CapacityBook& book, PoolGrowth growth, const ClusterUid& cluster)
    : lvm_(lvm), book_(book), growth_(growth), cluster_(cluster) {}

Result<bool> ThinPools::ensure(const VolumeName& pool, std::uint64_t size_bytes, Lvm::Patience patience) {
  HOLDFAST_TRY(const VolumeGroup group, book_.group(pool.group));
  if (group.volume(pool.volume) != nullptr || size_bytes == 0) return false;
  const PoolShare share = share_of_pool(size_bytes, group.extent_bytes);
  bool is_made = false;
  {
    HOLDFAST_TRY(const CapacityBook::Promise promise, book_.promise(room_of(group, share.all_bytes, false)));
    NewPool wanted{.name = pool, .size_bytes = share.data_bytes, .tags = {tag(kPoolTag, kMade)}};
    const std::string cluster = cluster_.get();
    if (!cluster.empty()) wanted.tags.push_back(tag(kClusterTag, cluster));
    const Status made = lvm_.create_pool(wanted, patience);
    if (!made && made.error().code != Code::kAlreadyExists) return tl::unexpected(made.error());
    is_made = made.has_value();
  }
  HOLDFAST_CHECK(look(lvm_, book_, patience));
  return is_made;
}

bool ThinPools::is_ours(const VolumeGroup& group, const LogicalVolume& pool) const {
  if (pool.layout != Layout::kThinPool) return false;
  const std::string cluster = cluster_.get();
  if (pool.has_tag(tag(kPoolTag, kMade)) && pool.tag_value(kClusterTag) == cluster) return true;
  return std::ranges::any_of(group.volumes, [&](const LogicalVolume& volume) {
    return volume.pool == pool.name && !state_of(volume).empty() && volume.tag_value(kClusterTag) == cluster;
  });
}

Status ThinPools::tend(Lvm::Patience patience) {
  HOLDFAST_TRY(const Inventory inventory, look(lvm_, book_, patience));
  FirstError first;
  bool changed = false;
  for (const VolumeGroup& group : inventory.groups) {
    for (const LogicalVolume& pool : group.volumes) {
      if (!is_ours(group, pool)) continue;
      const bool full = pool.data_percent.value_or(0) >= growth_.data_percent ||
                        pool.metadata_percent.value_or(0) >= growth_.metadata_percent;
      if (pool.active && !full) continue;
      first.add(tend_pool(group, pool, patience));
      changed = true;
    }
  }
  if (changed) {
    const auto after = look(lvm_, book_, patience);
    if (!after) first.add(tl::unexpected(after.error()));
  }
  return first.result();
}

Status ThinPools::tend_pool(const VolumeGroup& group, const LogicalVolume& pool, Lvm::Patience patience) {
  if (!pool.active) return lvm_.activate({group.name, pool.name}, patience);
  FirstError first;
  // Without metadata a pool comes to harm, without data its volumes only wait: so these go first.
  if (pool.metadata_percent.value_or(0) >= growth_.metadata_percent) {
    first.add(grow_metadata(group, pool, patience));
  }
  if (pool.data_percent.value_or(0) >= growth_.data_percent) first.add(grow_data(group, pool, patience));
  return first.result();
}

Status ThinPools::grow_data(const VolumeGroup& group, const LogicalVolume& pool, Lvm::Patience patience) {
  HOLDFAST_TRY(const Capacity capacity, book_.capacity(room_of(group, 0, true)));
  const std::uint64_t step =
      whole_extents(pool.size_bytes / kWhole * growth_.step_percent, group.extent_bytes);
  const std::uint64_t more = std::min(step, capacity.largest_bytes);
  if (more == 0) return {};
  HOLDFAST_TRY(const CapacityBook::Promise promise, book_.promise(room_of(group, more, true)));
  return lvm_.extend({group.name, pool.name}, pool.size_bytes + more, patience);
}

Status ThinPools::grow_metadata(const VolumeGroup& group, const LogicalVolume& pool, Lvm::Patience patience) {
  HOLDFAST_TRY(const Capacity capacity, book_.capacity(room_of(group, 0, true)));
  const std::uint64_t step =
      whole_extents(pool.metadata_bytes / kWhole * growth_.step_percent, group.extent_bytes);
  if (step == 0) return {};
  // Half of what there is: the room to mend them grows with them.
  const std::uint64_t half = capacity.largest_bytes / 2;
  const std::uint64_t more = std::min(step, half - half % group.extent_bytes);
  if (more == 0 || pool.metadata_bytes + more > kMostMetadata) return {};
  HOLDFAST_TRY(const CapacityBook::Promise promise, book_.promise(room_of(group, 2 * more, true)));
  return lvm_.extend_metadata({group.name, pool.name}, pool.metadata_bytes + more, patience);
}

}  // namespace holdfast::lvm
