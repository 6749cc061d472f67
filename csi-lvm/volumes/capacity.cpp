#include "csi-lvm/volumes/capacity.h"

#include <algorithm>
#include <cmath>

#include "csi-lvm/lvm/lvm_faults.h"
#include "csi-lvm/volumes/local_volume.h"

namespace holdfast::lvm {
namespace {

std::uint64_t whole_extents(std::uint64_t bytes, std::uint64_t extent_bytes) {
  return extents_of(bytes, extent_bytes, 1) * extent_bytes;
}

std::uint32_t stripes_in(const VolumeGroup& group, std::uint32_t stripes) {
  return stripes == 0 ? static_cast<std::uint32_t>(std::max<std::size_t>(group.disks.size(), 1)) : stripes;
}

Result<const LogicalVolume*> find_pool(const VolumeGroup& group, const std::string& name) {
  const LogicalVolume* pool = group.volume(name);
  if (pool == nullptr) {
    return fail(Code::kNotFound, "there is no thin pool " + name + " in the volume group " + group.name);
  }
  if (pool->layout == Layout::kThinPool) return pool;
  return fail(Code::kFailedPrecondition, group.name + "/" + name +
                                             " is a volume and no thin pool: name another as thinPool, or "
                                             "take the volume away");
}

// What the volumes of the pool pretend to have.
std::uint64_t pretended_bytes(const VolumeGroup& group, const std::string& pool) {
  std::uint64_t sum = 0;
  for (const LogicalVolume& volume : group.volumes) {
    if (volume.pool == pool) sum += volume.size_bytes;
  }
  return sum;
}

std::uint64_t overcommitted(std::uint64_t pool_bytes, const PoolLimits& limits) {
  return static_cast<std::uint64_t>(static_cast<double>(pool_bytes) * limits.overcommit);
}

// Of a pool whose volumes may pretend to `most` bytes.
Capacity of_pool(const VolumeGroup& group, const std::string& pool, std::uint64_t most) {
  const std::uint64_t left = most - std::min(pretended_bytes(group, pool), most);
  Capacity capacity;
  capacity.smallest_bytes = group.extent_bytes;
  capacity.available_bytes = group.extent_bytes == 0 ? 0 : left - left % group.extent_bytes;
  capacity.largest_bytes = capacity.available_bytes;
  return capacity;
}

// What is left of one whose making was cut off is removed before it is made.
bool has_pool(const VolumeGroup& group, const std::string& name) {
  const LogicalVolume* pool = group.volume(name);
  return pool != nullptr && !(is_made_pool(*pool) && is_half(*pool));
}

// As it will be. What is made of it by now is replaced.
void add_new_pool(VolumeGroup& group, const Room& room) {
  if (has_pool(group, room.new_pool)) return;
  std::erase_if(group.volumes, [&room](const LogicalVolume& each) { return each.name == room.new_pool; });
  LogicalVolume pool;
  pool.name = room.new_pool;
  pool.layout = Layout::kThinPool;
  pool.size_bytes = share_of_pool(room.pool_bytes, group.extent_bytes).data_bytes;
  pool.data_percent = pool.metadata_percent = 0;
  group.volumes.push_back(std::move(pool));
}

std::string percent(const std::optional<double>& used) {
  return used ? std::to_string(std::lround(*used)) + " %" : "an unknown part";
}

std::string too_full(const VolumeGroup& group, const LogicalVolume& pool, const PoolLimits& limits) {
  return "the thin pool " + group.name + "/" + pool.name +
         " is too full for anything more: " + percent(pool.data_percent) + " of its data and " +
         percent(pool.metadata_percent) + " of its metadata are in use, and the limits are " +
         percent(limits.data_percent) + " and " + percent(limits.metadata_percent);
}

std::string not_enough(const VolumeGroup& group, const Room& room, const Capacity& capacity,
                       const PoolLimits& limits) {
  const LogicalVolume* pool = group.volume(room.pool);
  if (pool != nullptr && at_watermark(*pool, limits)) return too_full(group, *pool, limits);
  std::string message = "the volume group " + room.group;
  if (!room.pool.empty()) message += ", thin pool " + room.pool + ",";
  return message + " has no room for " + std::to_string(room.size_bytes) +
         " bytes: the largest volume may have " + std::to_string(capacity.largest_bytes) + ", " +
         std::to_string(capacity.available_bytes) + " are free" +
         why_no_room(group, stripes_in(group, room.stripes));
}

}  // namespace

bool at_watermark(const LogicalVolume& pool, const PoolLimits& limits) {
  return pool.data_percent.value_or(100) >= limits.data_percent ||
         pool.metadata_percent.value_or(100) >= limits.metadata_percent;
}

PoolShare share_of_pool(std::uint64_t size_bytes, std::uint64_t extent_bytes) {
  const std::uint64_t data = whole_extents(size_bytes, extent_bytes);
  return {.data_bytes = data, .all_bytes = data + 2 * pool_metadata_bytes(size_bytes, extent_bytes)};
}

CapacityBook::CapacityBook(PoolLimits limits, std::map<std::string, std::uint64_t> spare_bytes)
    : limits_(limits), spare_bytes_(std::move(spare_bytes)) {}

void CapacityBook::update(Inventory inventory) {
  const std::scoped_lock lock(mutex_);
  inventory_ = std::move(inventory);
}

void CapacityBook::add(const NewVolume& made) {
  const std::scoped_lock lock(mutex_);
  const auto group = std::ranges::find(inventory_.groups, made.name.group, &VolumeGroup::name);
  if (group == inventory_.groups.end() || group->volume(made.name.volume) != nullptr) return;
  LogicalVolume volume;
  volume.name = made.name.volume;
  volume.size_bytes = made.size_bytes;
  volume.stripes = made.stripes;
  volume.tags = made.tags;
  volume.pool = made.pool;
  volume.layout = !made.pool.empty() ? Layout::kThin : made.stripes > 1 ? Layout::kStriped : Layout::kLinear;
  if (made.pool.empty()) {
    take_extents(*group, extents_of(made.size_bytes, group->extent_bytes, made.stripes), made.stripes);
  }
  group->volumes.push_back(std::move(volume));
}

Inventory CapacityBook::inventory() const {
  const std::scoped_lock lock(mutex_);
  return inventory_;
}

bool CapacityBook::has_volume(std::string_view name) const {
  const std::scoped_lock lock(mutex_);
  return std::ranges::any_of(inventory_.groups,
                             [name](const VolumeGroup& group) { return group.volume(name) != nullptr; });
}

std::vector<std::string> CapacityBook::unknown_spare_groups() const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> unknown;
  for (const auto& [name, bytes] : spare_bytes_) {
    if (inventory_.group(name) == nullptr) unknown.push_back(name);
  }
  return unknown;
}

bool CapacityBook::has_pools() const {
  const std::scoped_lock lock(mutex_);
  return std::ranges::any_of(inventory_.groups, [](const VolumeGroup& group) {
    return std::ranges::find(group.volumes, Layout::kThinPool, &LogicalVolume::layout) != group.volumes.end();
  });
}

Result<VolumeGroup> CapacityBook::group(const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  return reported(name);
}

Result<VolumeGroup> CapacityBook::reported(const std::string& name) const {
  const VolumeGroup* group = inventory_.group(name);
  if (group != nullptr) return *group;
  std::string known;
  for (const VolumeGroup& each : inventory_.groups) known += (known.empty() ? "" : ", ") + each.name;
  return fail(Code::kNotFound, "there is no volume group " + name + " on this node; there " +
                                   (known.empty() ? "is none" : "are: " + known) +
                                   ". Those count whose disks our devices file names (lvm.devicesFile)");
}

// Called with the lock: the group as it is when all promises have been kept.
Result<VolumeGroup> CapacityBook::group_now(const std::string& name) const {
  HOLDFAST_TRY(VolumeGroup group, reported(name));
  for (const auto& [key, room] : promises_) {
    if (room.group != name) continue;
    if (room.pool.empty()) {
      const std::uint32_t stripes = stripes_in(group, room.stripes);
      take_extents(group, extents_of(room.size_bytes, group.extent_bytes, stripes), stripes);
      if (!room.new_pool.empty()) add_new_pool(group, room);
    } else {
      LogicalVolume promised;
      promised.pool = room.pool;
      promised.size_bytes = room.size_bytes;
      group.volumes.push_back(std::move(promised));
    }
  }
  return group;
}

Result<CapacityBook::Promise> CapacityBook::promise(const Room& room) {
  const std::scoped_lock lock(mutex_);
  HOLDFAST_TRY(const VolumeGroup group, group_now(room.group));
  HOLDFAST_TRY(const Capacity capacity, capacity_of(group, room));
  if (room.size_bytes > capacity.largest_bytes)
    return fail(Code::kResourceExhausted, not_enough(group, room, capacity, limits_));
  promises_.emplace(++last_key_, room);
  return Promise(*this, last_key_);
}

void CapacityBook::release(Key key) {
  const std::scoped_lock lock(mutex_);
  promises_.erase(key);
}

std::uint64_t CapacityBook::available_bytes() const {
  const std::scoped_lock lock(mutex_);
  std::uint64_t sum = 0;
  for (const VolumeGroup& reported : inventory_.groups) {
    if (const auto now = group_now(reported.name)) sum += thick_capacity(*now, 1, false).available_bytes;
  }
  return sum;
}

Result<Capacity> CapacityBook::capacity(const std::string& group, std::uint32_t stripes,
                                        const std::string& pool) const {
  Room room;
  room.group = group;
  room.stripes = stripes;
  room.pool = pool;
  return capacity(room);
}

Result<Capacity> CapacityBook::capacity(const Room& room) const {
  const std::scoped_lock lock(mutex_);
  HOLDFAST_TRY(const VolumeGroup now, group_now(room.group));
  return capacity_of(now, room);
}

Result<Capacity> CapacityBook::capacity_of(const VolumeGroup& group, const Room& room) const {
  if (group.missing_disks > 0) return thick_capacity(group, room.stripes, room.of_spare);  // none
  if (!room.pool.empty()) return thin_capacity(group, room);
  return thick_capacity(group, room.stripes, room.of_spare);
}

Capacity CapacityBook::thick_capacity(const VolumeGroup& group, std::uint32_t stripes, bool of_spare) const {
  const auto spare = spare_bytes_.find(group.name);
  const std::uint64_t kept = of_spare || spare == spare_bytes_.end() ? 0 : spare->second;
  const std::uint64_t free = most_extents(group, 1) * group.extent_bytes;
  const std::uint32_t count = stripes_in(group, stripes);
  Capacity capacity;
  capacity.available_bytes = free - std::min(kept, free);
  const std::uint64_t stripe_set = group.extent_bytes * count;
  const std::uint64_t most =
      std::min(most_extents(group, count) * group.extent_bytes, capacity.available_bytes);
  capacity.largest_bytes = stripe_set == 0 ? 0 : most - most % stripe_set;
  capacity.smallest_bytes = stripe_set;
  return capacity;
}

Result<Capacity> CapacityBook::thin_capacity(const VolumeGroup& group, const Room& room) const {
  if (room.pool_bytes > 0 && !has_pool(group, room.pool)) return capacity_of_new_pool(group, room);
  HOLDFAST_TRY(const LogicalVolume* pool, find_pool(group, room.pool));
  if (at_watermark(*pool, limits_)) return of_pool(group, room.pool, 0);
  return of_pool(group, room.pool, overcommitted(pool->size_bytes, limits_));
}

Capacity CapacityBook::capacity_of_new_pool(const VolumeGroup& group, const Room& room) const {
  const PoolShare share = share_of_pool(room.pool_bytes, group.extent_bytes);
  const bool fits = share.all_bytes <= thick_capacity(group, 1, false).largest_bytes;
  return of_pool(group, room.pool, fits ? overcommitted(share.data_bytes, limits_) : 0);
}

}  // namespace holdfast::lvm
