#include "test/csi-lvm/lvm/fake_lvm.h"

#include <algorithm>
#include <utility>

#include "common/base/first_error.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/lvm/lvm_faults.h"

namespace holdfast::lvm::test {
namespace {

constexpr std::string_view kRefused = "the fake refuses";

void recount(VolumeGroup& group) {
  std::uint64_t free = 0;
  for (const PhysicalVolume& disk : group.disks) free += disk.free_extents;
  group.free_bytes = free * group.extent_bytes;
  ++group.sequence;
}

Status check(const VolumeName& name) { return check_volume_name(name.group, name.volume); }

}  // namespace

void FakeLvm::add_group(const std::string& name, const std::vector<std::uint64_t>& extents_of_disks,
                        std::uint64_t extent_bytes) {
  VolumeGroup group;
  group.name = name;
  group.uuid = "uuid-" + name;
  group.extent_bytes = extent_bytes;
  for (std::size_t i = 0; i < extents_of_disks.size(); ++i) {
    PhysicalVolume disk;
    disk.device = "/dev/" + name + std::to_string(i);
    disk.uuid = "uuid-" + disk.device;
    disk.extents = disk.free_extents = extents_of_disks[i];
    disk.size_bytes = disk.extents * extent_bytes;
    group.size_bytes += disk.size_bytes;
    group.disks.push_back(std::move(disk));
  }
  recount(group);
  const std::scoped_lock lock(mutex_);
  state_.groups.push_back(std::move(group));
}

void FakeLvm::change(const VolumeName& name, const std::function<void(LogicalVolume&)>& happens) {
  const std::scoped_lock lock(mutex_);
  happens(*volume(name));
}

void FakeLvm::set_open(const VolumeName& name, bool open) {
  change(name, [open](LogicalVolume& volume) { volume.open = open; });
}

VolumeGroup* FakeLvm::group(const std::string& name) {
  const auto found = std::ranges::find(state_.groups, name, &VolumeGroup::name);
  return found == state_.groups.end() ? nullptr : &*found;
}

LogicalVolume* FakeLvm::volume(const VolumeName& name) {
  VolumeGroup* of = group(name.group);
  if (of == nullptr) return nullptr;
  const auto found = std::ranges::find(of->volumes, name.volume, &LogicalVolume::name);
  return found == of->volumes.end() ? nullptr : &*found;
}

Status FakeLvm::perform(std::string_view verb, const VolumeName& name,
                        const std::function<Status()>& change) {
  HOLDFAST_CHECK(check(name));
  const std::scoped_lock lock(mutex_);
  if (before) HOLDFAST_CHECK(before(verb, name));
  HOLDFAST_CHECK(change());
  if (VolumeGroup* changed = group(name.group); changed != nullptr) recount(*changed);
  return after ? after(verb, name) : Status{};
}

bool FakeLvm::allocate(VolumeGroup& of, const std::string& volume_name, std::uint64_t extents,
                       std::uint32_t stripes) {
  if (!has_room(of, extents, stripes)) return false;
  Share& share = shares_[of.name + "/" + volume_name];
  share.resize(of.disks.size());
  const std::vector<PhysicalVolume> disks = of.disks;
  take_extents(of, extents, stripes);
  for (std::size_t i = 0; i < disks.size(); ++i) share[i] += disks[i].free_extents - of.disks[i].free_extents;
  return true;
}

Result<Inventory> FakeLvm::look(Patience /*patience*/) {
  const std::scoped_lock lock(mutex_);
  ++looks;
  return state_;
}

Result<LogicalVolume> FakeLvm::look_at(const VolumeName& name, Patience /*patience*/) {
  HOLDFAST_CHECK(check(name));
  const std::scoped_lock lock(mutex_);
  HOLDFAST_TRY(const LogicalVolume* found, find_volume(state_, name));
  return *found;
}

Status FakeLvm::create(const NewVolume& wanted, Patience /*patience*/) {
  for (const std::string& tag : wanted.tags) HOLDFAST_CHECK(check_tag(tag));
  return perform("create", wanted.name, [&]() -> Status {
    VolumeGroup* of = group(wanted.name.group);
    const LogicalVolume* pool = wanted.pool.empty() ? nullptr : volume({wanted.name.group, wanted.pool});
    const bool poolless = !wanted.pool.empty() && (pool == nullptr || pool->layout != Layout::kThinPool);
    if (of == nullptr || volume(wanted.name) != nullptr || poolless)
      return why_not_created(state_, wanted, kRefused);
    const std::uint64_t extents = extents_of(wanted.size_bytes, of->extent_bytes, wanted.stripes);
    if (pool == nullptr && !allocate(*of, wanted.name.volume, extents, wanted.stripes)) {
      return why_not_created(state_, wanted, kRefused);
    }
    LogicalVolume made;
    made.name = wanted.name.volume;
    made.uuid = "uuid-" + made.name;
    made.layout = pool != nullptr ? Layout::kThin : wanted.stripes > 1 ? Layout::kStriped : Layout::kLinear;
    made.size_bytes = extents * of->extent_bytes;
    made.stripes = wanted.stripes;
    made.tags = wanted.tags;
    made.pool = wanted.pool;
    made.active = true;
    if (pool != nullptr) made.data_percent = 0.0;
    of->volumes.push_back(std::move(made));
    return {};
  });
}

Status FakeLvm::create_snapshot(const NewSnapshot& wanted, Patience /*patience*/) {
  const VolumeName name{wanted.origin.group, wanted.name};
  return perform("create_snapshot", name, [&]() -> Status {
    const LogicalVolume* origin = volume(wanted.origin);
    if (origin == nullptr || volume(name) != nullptr) return why_no_snapshot(state_, wanted, kRefused);
    VolumeGroup& of = *group(name.group);
    const bool thin = origin->layout == Layout::kThin && wanted.room_bytes == 0;
    if (!thin && !origin->origin.empty()) return why_no_snapshot(state_, wanted, kRefused);
    LogicalVolume made = *origin;
    made.name = wanted.name;
    made.uuid = "uuid-" + made.name;
    made.origin = wanted.origin.volume;
    made.tags = wanted.tags;
    made.open = false;
    made.active = !thin;  // a thin snapshot waits to be activated
    if (!thin) {
      const std::uint64_t extents = extents_of(wanted.room_bytes, of.extent_bytes, 1);
      if (!allocate(of, made.name, extents, 1)) return why_no_snapshot(state_, wanted, kRefused);
      made.layout = Layout::kLinear;
      made.size_bytes = extents * of.extent_bytes;
      made.data_percent = 0.0;
    }
    of.volumes.push_back(std::move(made));
    return strays.contains(wanted.name) ? why_no_snapshot(state_, wanted, kRefused) : Status();
  });
}

Status FakeLvm::create_pool(const NewPool& wanted, Patience /*patience*/) {
  const VolumeName& name = wanted.name;
  return perform("create_pool", name, [&]() -> Status {
    VolumeGroup* of = group(name.group);
    if (of == nullptr || volume(name) != nullptr) return why_no_pool(state_, wanted, kRefused);
    const std::uint64_t extents = extents_of(wanted.size_bytes, of->extent_bytes, 1);
    const std::uint64_t metadata = pool_metadata_bytes(wanted.size_bytes, of->extent_bytes);
    // Their spare is as large.
    if (!allocate(*of, name.volume, extents + 2 * (metadata / of->extent_bytes), 1))
      return why_no_pool(state_, wanted, kRefused);
    LogicalVolume made;
    made.name = name.volume;
    made.uuid = "uuid-" + made.name;
    made.layout = Layout::kThinPool;
    made.zeroes = true;
    made.tags = wanted.tags;
    made.size_bytes = extents * of->extent_bytes;
    made.metadata_bytes = metadata;
    made.data_percent = 0.0;
    made.metadata_percent = 10.0;
    made.active = true;
    of->volumes.push_back(std::move(made));
    return {};
  });
}

Status FakeLvm::extend(const VolumeName& name, std::uint64_t size_bytes, Patience /*patience*/) {
  return perform("extend", name, [&]() -> Status {
    LogicalVolume* found = volume(name);
    if (found == nullptr || found->size_bytes >= size_bytes) {
      return why_not_extended(state_, name, size_bytes, kRefused);
    }
    VolumeGroup& of = *group(name.group);
    if (found->active && thick_snapshot_of(of, name.volume) != nullptr) {
      return why_not_extended(state_, name, size_bytes, kRefused);
    }
    const std::uint64_t more = extents_of(size_bytes - found->size_bytes, of.extent_bytes, found->stripes);
    if (found->layout != Layout::kThin && !allocate(of, name.volume, more, found->stripes)) {
      return why_not_extended(state_, name, size_bytes, kRefused);
    }
    found->size_bytes += more * of.extent_bytes;
    return {};
  });
}

Status FakeLvm::join(const VolumeName& name, const std::string& part, Patience patience) {
  const VolumeName other{name.group, part};
  for (const VolumeName& each : {name, other}) HOLDFAST_CHECK(check(each));
  Share share;
  std::uint64_t size_bytes = 0;
  {
    const std::scoped_lock lock(mutex_);
    HOLDFAST_CHECK(find_volume(state_, name));
    HOLDFAST_TRY(const LogicalVolume* joining, find_volume(state_, other));
    size_bytes = joining->size_bytes;
    share = shares_[other.text()];
  }
  HOLDFAST_CHECK(remove(other, patience));
  return perform("join", name, [&]() -> Status {
    VolumeGroup& of = *group(name.group);
    Share& whole = shares_[name.text()];
    whole.resize(of.disks.size());
    for (std::size_t i = 0; i < share.size(); ++i) {
      if (of.disks[i].free_extents < share[i]) return fail(Code::kAborted, "they were taken");
    }
    for (std::size_t i = 0; i < share.size(); ++i) {
      of.disks[i].free_extents -= share[i];
      whole[i] += share[i];
    }
    volume(name)->size_bytes += size_bytes;
    return {};
  });
}

Status FakeLvm::extend_metadata(const VolumeName& pool, std::uint64_t size_bytes, Patience /*patience*/) {
  return perform("extend_metadata", pool, [&]() -> Status {
    LogicalVolume* found = volume(pool);
    if (found == nullptr || found->layout != Layout::kThinPool || found->metadata_bytes >= size_bytes) {
      return why_metadata_not_extended(state_, pool, size_bytes, kRefused);
    }
    VolumeGroup& of = *group(pool.group);
    const std::uint64_t more = extents_of(size_bytes - found->metadata_bytes, of.extent_bytes, 1);
    // Their spare grows with them.
    if (!allocate(of, pool.volume, 2 * more, 1)) {
      return why_metadata_not_extended(state_, pool, size_bytes, kRefused);
    }
    found->metadata_bytes += more * of.extent_bytes;
    return {};
  });
}

Status FakeLvm::change_tags(const VolumeName& name, const std::vector<std::string>& remove,
                            const std::vector<std::string>& add, Patience /*patience*/) {
  for (const std::string& tag : add) HOLDFAST_CHECK(check_tag(tag));
  return perform("change_tags", name, [&]() -> Status {
    HOLDFAST_CHECK(find_volume(state_, name));
    std::vector<std::string>& tags = volume(name)->tags;
    for (const std::string& tag : remove) std::erase(tags, tag);
    for (const std::string& tag : add) {
      if (!volume(name)->has_tag(tag)) tags.push_back(tag);
    }
    return {};
  });
}

Status FakeLvm::change_group_tags(const std::string& name, const std::vector<std::string>& remove,
                                  const std::vector<std::string>& add, Patience /*patience*/) {
  for (const std::string& tag : add) HOLDFAST_CHECK(check_tag(tag));
  return perform_group("change_group_tags", {.group = name, .devices = {}}, [&]() -> Status {
    VolumeGroup* found = group(name);
    if (found == nullptr) return why_group_not_tagged(state_, name, remove, add, kRefused);
    for (const std::string& tag : remove) std::erase(found->tags, tag);
    for (const std::string& tag : add) {
      if (std::ranges::find(found->tags, tag) == found->tags.end()) found->tags.push_back(tag);
    }
    return {};
  });
}

Status FakeLvm::switch_to(const VolumeName& name, bool active) {
  LogicalVolume* found = volume(name);
  const bool refused = found == nullptr || (active ? found->partial : found->open);
  if (refused) return why_not_switched(state_, name, active, kRefused);
  found->active = active;
  // How full it is the kernel tells, while it has the pool.
  if (active && found->layout == Layout::kThinPool && !found->data_percent) {
    found->data_percent = 0.0;
    found->metadata_percent = 10.0;
  }
  return {};
}

Status FakeLvm::activate(const VolumeName& name, Patience /*patience*/) {
  return perform("activate", name, [&] { return switch_to(name, true); });
}

Status FakeLvm::activate_all(const std::vector<VolumeName>& names, Patience patience) {
  for (const VolumeName& name : names) HOLDFAST_CHECK(check(name));
  FirstError first;
  for (const VolumeName& name : names) first.add(activate(name, patience));
  return first.result();
}

Status FakeLvm::deactivate(const VolumeName& name, Patience /*patience*/) {
  return perform("deactivate", name, [&] { return switch_to(name, false); });
}

Status FakeLvm::refresh(const VolumeName& name, Patience /*patience*/) {
  return perform("refresh", name, [&]() -> Status {
    HOLDFAST_CHECK(find_volume(state_, name));
    volume(name)->unsettled = false;
    return {};
  });
}

Status FakeLvm::drop_strays(const Inventory& /*seen*/, Patience /*patience*/) {
  const std::scoped_lock lock(mutex_);
  strays.clear();
  return {};
}

Status FakeLvm::remove(const VolumeName& name, Patience /*patience*/) {
  return perform("remove", name, [&]() -> Status {
    HOLDFAST_CHECK(may_remove(state_, name));
    const LogicalVolume* found = volume(name);
    if (found == nullptr) return {};
    if (found->open) return why_not_removed(state_, name, kRefused);
    VolumeGroup& of = *group(name.group);
    const auto share = shares_.extract(name.text());
    for (std::size_t i = 0; share && i < of.disks.size(); ++i) of.disks[i].free_extents += share.mapped()[i];
    std::erase_if(of.volumes, [&name](const LogicalVolume& each) { return each.name == name.volume; });
    return {};
  });
}

}  // namespace holdfast::lvm::test
