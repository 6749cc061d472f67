#include <algorithm>
#include <iterator>
#include <utility>

#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/lvm/lvm_faults.h"
#include "test/csi-lvm/lvm/fake_lvm.h"

// What FakeLvm does to groups and their disks.
namespace holdfast::lvm::test {
namespace {

constexpr std::uint64_t kExtent = 4 << 20;
constexpr std::string_view kRefused = "the fake refuses";

void update(VolumeGroup& group) {
  group.size_bytes = group.free_bytes = 0;
  for (const PhysicalVolume& disk : group.disks) {
    group.size_bytes += disk.extents * group.extent_bytes;
    group.free_bytes += disk.free_extents * group.extent_bytes;
  }
  ++group.sequence;
}

}  // namespace

void FakeLvm::add_disk(const std::string& device, std::uint64_t extents) {
  PhysicalVolume disk;
  disk.device = device;
  disk.uuid = "uuid-" + device;
  disk.extents = disk.free_extents = extents;
  disk.size_bytes = extents * kExtent;
  const std::scoped_lock lock(mutex_);
  blank_[device] = std::move(disk);
}

void FakeLvm::add_host_group(const std::string& name, const std::string& device) {
  add_disk(device, 1);
  VolumeGroup group;
  group.name = name;
  group.uuid = "uuid-" + name;
  group.extent_bytes = kExtent;
  const std::scoped_lock lock(mutex_);
  take_disks(group, {device});
  host_.groups.push_back(std::move(group));
}

void FakeLvm::lose_group(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  const auto lost = std::ranges::find(state_.groups, name, &VolumeGroup::name);
  host_.groups.push_back(std::move(*lost));
  state_.groups.erase(lost);
}

void FakeLvm::pull_disks_of(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  const auto pulled = std::ranges::find(state_.groups, name, &VolumeGroup::name);
  for (const PhysicalVolume& disk : pulled->disks) state_.unseen_disks.push_back(disk.uuid);
  pulled_.push_back(std::move(*pulled));
  state_.groups.erase(pulled);
}

void FakeLvm::plug_disks_again() {
  const std::scoped_lock lock(mutex_);
  std::ranges::move(pulled_, std::back_inserter(state_.groups));
  pulled_.clear();
  state_.unseen_disks.clear();
}

bool FakeLvm::take_disks(VolumeGroup& group, const std::vector<std::string>& devices) {
  const auto is_member = [&group](const std::string& device) {
    return std::ranges::find(group.disks, device, &PhysicalVolume::device) != group.disks.end();
  };
  const auto can_be = [&](const std::string& device) { return is_member(device) || blank_.contains(device); };
  if (!std::ranges::all_of(devices, can_be)) return false;
  for (const std::string& device : devices) {
    if (auto disk = blank_.extract(device)) group.disks.push_back(std::move(disk.mapped()));
  }
  update(group);
  return true;
}

Status FakeLvm::perform_group(std::string_view verb, const GroupDisks& wanted,
                              const std::function<Status()>& change) {
  HOLDFAST_CHECK(check_name(wanted.group));
  for (const std::string& device : wanted.devices) HOLDFAST_CHECK(check_device_path(device));
  const std::scoped_lock lock(mutex_);
  if (before) HOLDFAST_CHECK(before(verb, {wanted.group, ""}));
  HOLDFAST_CHECK(change());
  return after ? after(verb, {wanted.group, ""}) : Status{};
}

Result<Inventory> FakeLvm::look_around(Patience /*patience*/) {
  const std::scoped_lock lock(mutex_);
  Inventory all = state_;
  all.groups.insert(all.groups.end(), host_.groups.begin(), host_.groups.end());
  return all;
}

Status FakeLvm::create_group(const GroupDisks& wanted, Patience /*patience*/) {
  return perform_group("create_group", wanted, [&]() -> Status {
    VolumeGroup made;
    made.name = wanted.group;
    made.uuid = "uuid-" + wanted.group;
    made.extent_bytes = kExtent;
    if (group(wanted.group) != nullptr || !take_disks(made, wanted.devices)) {
      return why_no_group(state_, wanted, kRefused);
    }
    state_.groups.push_back(std::move(made));
    return {};
  });
}

Status FakeLvm::extend_group(const GroupDisks& wanted, Patience /*patience*/) {
  return perform_group("extend_group", wanted, [&]() -> Status {
    VolumeGroup* of = group(wanted.group);
    if (of == nullptr || !take_disks(*of, wanted.devices)) return why_not_in_group(state_, wanted, kRefused);
    return {};
  });
}

Status FakeLvm::adopt_group(const GroupDisks& wanted, Patience /*patience*/) {
  return perform_group("adopt_group", wanted, [&]() -> Status {
    const auto found = std::ranges::find(host_.groups, wanted.group, &VolumeGroup::name);
    if (found != host_.groups.end()) {
      state_.groups.push_back(std::move(*found));
      host_.groups.erase(found);
    }
    return why_not_in_group(state_, wanted, kRefused);
  });
}

}  // namespace holdfast::lvm::test
