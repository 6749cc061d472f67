#include "csi-lvm/volumes/thin_pools.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/first_error.h"
#include "common/csi/answers.h"
#include "csi-lvm/lvm/lvm_faults.h"
#include "csi-lvm/volumes/local_volume.h"
#include "csi-lvm/volumes/pool_spare.h"
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

bool ThinPools::is_half_of_ours(const LogicalVolume& volume) const {
  return is_made_pool(volume) && is_half(volume) && volume.tag_value(kClusterTag) == cluster_.get();
}

class ThinPools::Turn {
 public:
  Turn(ThinPools& pools, std::string pool) : pools_(&pools), pool_(std::move(pool)) {}
  Turn(Turn&& other) noexcept : pools_(std::exchange(other.pools_, nullptr)), pool_(std::move(other.pool_)) {}
  Turn& operator=(Turn&&) = delete;
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (pools_ == nullptr) return;
    const std::scoped_lock lock(pools_->mutex_);
    pools_->busy_.erase(pool_);
    pools_->is_free_.notify_all();
  }

 private:
  ThinPools* pools_;
  std::string pool_;
};

Result<ThinPools::Turn> ThinPools::begin(const VolumeName& pool, Lvm::Patience patience) {
  std::unique_lock lock(mutex_);
  const std::string name = pool.text();
  if (!is_free_.wait_for(lock, patience, [&] { return !busy_.contains(name); })) {
    return fail(Code::kAborted, "another call is making the thin pool " + name + "; ask again");
  }
  busy_.insert(name);
  return Turn(*this, name);
}

Status ThinPools::wake(const VolumeName& pool, Lvm::Patience patience) {
  const auto group = book_.group(pool.group);
  const LogicalVolume* there = group ? group->volume(pool.volume) : nullptr;
  if (there == nullptr || there->layout != Layout::kThinPool || there->active || is_half(*there)) return {};
  HOLDFAST_CHECK(lvm_.activate(pool, patience));
  const auto seen = look(lvm_, book_, patience);
  return seen ? Status() : Status(tl::unexpected(seen.error()));
}

Result<bool> ThinPools::ensure(const VolumeName& pool, std::uint64_t size_bytes, Lvm::Patience patience) {
  HOLDFAST_TRY(const VolumeGroup known, book_.group(pool.group));
  const LogicalVolume* there = known.volume(pool.volume);
  if (size_bytes == 0 || (there != nullptr && !is_half_of_ours(*there))) return false;
  HOLDFAST_TRY(const Turn turn, begin(pool, patience));
  HOLDFAST_CHECK(look(lvm_, book_, patience));
  HOLDFAST_TRY(const VolumeGroup group, book_.group(pool.group));
  const LogicalVolume* left = group.volume(pool.volume);
  if (left != nullptr && !is_half_of_ours(*left)) return false;
  HOLDFAST_CHECK(remove_half(group, pool.volume, patience));
  HOLDFAST_CHECK(make(pool, size_bytes, patience));
  return true;
}

Status ThinPools::make(const VolumeName& pool, std::uint64_t size_bytes, Lvm::Patience patience) {
  HOLDFAST_TRY(const VolumeGroup group, book_.group(pool.group));
  const PoolShare share = share_of_pool(size_bytes, group.extent_bytes);
  Room room = room_of(group, share.all_bytes, false);
  room.new_pool = pool.volume;
  room.pool_bytes = size_bytes;
  HOLDFAST_TRY(const CapacityBook::Promise promise, book_.promise(room));
  const PoolSpare spare{
      .pool = pool.volume, .most_bytes = (share.all_bytes - share.data_bytes) / 2, .cluster = cluster_.get()};
  Status made =
      make_in_turn(group, {.name = pool, .size_bytes = share.data_bytes, .tags = {}}, spare, patience);
  const Result<Inventory> after = look(lvm_, book_, patience);
  if (made) return after ? Status() : Status(tl::unexpected(csi::may_be_left(after.error())));
  const VolumeGroup* seen = after ? after->group(pool.group) : nullptr;
  const bool refused = csi::reaction_to(made.error().code) != csi::Reaction::kAskAgain;
  if (seen == nullptr || seen->volume(pool.volume) != nullptr || !refused ||
      !remove_half(*seen, pool.volume, patience)) {
    return tl::unexpected(csi::may_be_left(made.error()));
  }
  return made;
}

Status ThinPools::make_in_turn(const VolumeGroup& group, NewPool wanted, const PoolSpare& spare,
                               Lvm::Patience patience) {
  std::vector<std::string> of_group;
  if (!has_drawn_names(group)) of_group.push_back(spare_tag(spare));
  HOLDFAST_CHECK(lvm_.change_group_tags(group.name, {}, of_group, patience));
  const std::string creating = tag(kStateTag, kCreating);
  wanted.tags = {creating, tag(kPoolTag, kMade)};
  if (!spare.cluster.empty()) wanted.tags.push_back(tag(kClusterTag, spare.cluster));
  HOLDFAST_CHECK(lvm_.create_pool(wanted, patience));
  HOLDFAST_CHECK(lvm_.change_tags(wanted.name, {creating}, {}, patience));
  return lvm_.change_group_tags(group.name, of_group, {}, patience);
}

bool ThinPools::is_begun(const VolumeGroup& group, const std::string& pool) const {
  const LogicalVolume* there = group.volume(pool);
  if (there != nullptr && is_half_of_ours(*there)) return true;
  return std::ranges::count(begun_spares(group, cluster_.get()), pool, &PoolSpare::pool) > 0;
}

Status ThinPools::drop_half(const VolumeName& pool, Lvm::Patience patience) {
  const auto known = book_.group(pool.group);
  if (!known || !is_begun(*known, pool.volume)) return {};
  HOLDFAST_TRY(const Turn turn, begin(pool, patience));
  // It may have been finished in between.
  HOLDFAST_TRY(const Inventory now, look(lvm_, book_, patience));
  const VolumeGroup* group = now.group(pool.group);
  return group == nullptr ? Status() : remove_half(*group, pool.volume, patience);
}

// The group's tag goes last: only that tells what the spare is. Beside a whole pool there is nothing of it.
Status ThinPools::remove_half(const VolumeGroup& group, const std::string& pool, Lvm::Patience patience) {
  if (!is_begun(group, pool)) return {};
  const LogicalVolume* there = group.volume(pool);
  const bool whole = there != nullptr && !is_half_of_ours(*there);
  std::vector<std::string> tags;
  for (const PoolSpare& spare : begun_spares(group, cluster_.get())) {
    if (spare.pool != pool) continue;
    tags.push_back(spare_tag(spare));
    for (const LogicalVolume& volume : group.volumes) {
      if (!whole && may_be(spare, volume)) HOLDFAST_CHECK(lvm_.remove({group.name, volume.name}, patience));
    }
  }
  if (there != nullptr && !whole) HOLDFAST_CHECK(lvm_.remove({group.name, pool}, patience));
  HOLDFAST_CHECK(lvm_.change_group_tags(group.name, tags, {}, patience));
  HOLDFAST_TRY(const Inventory after, look(lvm_, book_, patience));
  return lvm_.drop_strays(after, patience);
}

bool ThinPools::is_ours(const VolumeGroup& group, const LogicalVolume& pool) const {
  if (pool.layout != Layout::kThinPool || is_half(pool)) return false;
  const std::string cluster = cluster_.get();
  if (is_made_pool(pool) && pool.tag_value(kClusterTag) == cluster) return true;
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
