#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "common/base/first_error.h"
#include "csi-lvm/lvm/commands_lvm.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/lvm/lvm_faults.h"
#include "csi-lvm/lvm/mapped_devices.h"

// What CommandsLvm does to the devices of volumes, and not to their metadata.
namespace holdfast::lvm {
namespace {

Status check(const VolumeName& name) { return check_volume_name(name.group, name.volume); }

}  // namespace

Status CommandsLvm::activate(const VolumeName& name, Patience patience) {
  return activate_all({name}, patience);
}

Status CommandsLvm::activate_all(const std::vector<VolumeName>& names, Patience patience) {
  for (const VolumeName& name : names) HOLDFAST_CHECK(check(name));
  HOLDFAST_TRY(std::string said, switch_on(names, patience));
  if (said.empty()) return {};
  HOLDFAST_TRY(const bool freed, drop_loose_parts(names, patience));
  if (freed) {
    HOLDFAST_TRY(said, switch_on(names, patience));
  }
  HOLDFAST_TRY(const Inventory after, look(patience));
  FirstError first;
  for (const VolumeName& name : names) first.add(why_not_switched(after, name, true, said));
  return first.result();
}

Result<std::string> CommandsLvm::switch_on(std::span<const VolumeName> names, Patience patience) {
  std::string said;
  for (std::span<const VolumeName> rest = names; !rest.empty();) {
    std::vector<std::string> words{"lvchange", "--activate", "y", "--ignoreactivationskip"};
    const auto part = rest.first(std::min(rest.size(), kMostOperands));
    for (const VolumeName& name : part) words.push_back(name.text());
    HOLDFAST_TRY(const std::string more, run(kNoMetadata, std::move(words), patience));
    said += more;
    rest = rest.subspan(part.size());
  }
  return said;
}

Result<bool> CommandsLvm::drop_loose_parts(const std::vector<VolumeName>& names, Patience patience) {
  HOLDFAST_TRY(const std::vector<MappedDevice> devices, mapped_devices());
  HOLDFAST_TRY(const Inventory now, look(patience));
  std::vector<MappedDevice> loose;
  for (const VolumeGroup& group : now.groups) {
    if (std::ranges::find(names, group.name, &VolumeName::group) == names.end()) continue;
    std::ranges::copy_if(parts_of(devices, group), std::back_inserter(loose),
                         [](const MappedDevice& device) { return !device.open; });
  }
  HOLDFAST_CHECK(remove_unused(loose));
  return !loose.empty();
}

Status CommandsLvm::deactivate(const VolumeName& name, Patience patience) {
  HOLDFAST_CHECK(check(name));
  HOLDFAST_TRY(const std::string said,
               run(kNoMetadata, {"lvchange", "--activate", "n", name.text()}, patience));
  if (said.empty()) return {};
  HOLDFAST_TRY(const Inventory after, look(patience));
  return why_not_switched(after, name, false, said);
}

Status CommandsLvm::refresh(const VolumeName& name, Patience patience) {
  HOLDFAST_CHECK(check(name));
  HOLDFAST_TRY(const std::vector<MappedDevice> devices, mapped_devices());
  HOLDFAST_TRY(const Inventory before, look(patience));
  HOLDFAST_TRY(const LogicalVolume* volume, find_volume(before, name));
  const VolumeGroup& group = *before.group(name.group);
  // A pool that is suspended has stopped its volumes once for each table of theirs, and lets them go on as
  // often: with a table gone in between, they stay stopped, and so does whoever asks for them.
  for (const MappedDevice& device : suspended_pool_of(devices, group, *volume))
    HOLDFAST_CHECK(resume(device));
  const std::vector<MappedDevice> family = family_of(devices, group, *volume);
  // LVM loads no table that is like the one in use, and would bring up the one that waits.
  for (const MappedDevice& device : family) HOLDFAST_CHECK(clear_waiting_table(device));
  // LVM suspends layers that it finds below the volume, and resumes those alone that the metadata tell of.
  HOLDFAST_CHECK(remove_unused(strays(family, before)));
  HOLDFAST_TRY(const std::string said, run(kNoMetadata, {"lvchange", "--refresh", name.text()}, patience));
  HOLDFAST_TRY(const std::string linked, run(kNoMetadata, {"vgmknodes", name.text()}, patience));
  if (said.empty() && linked.empty()) return {};
  HOLDFAST_TRY(const Inventory after, look(patience));
  return why_not_refreshed(after, name, said + linked);
}

Status CommandsLvm::drop_strays(const Inventory& seen, Patience patience) {
  HOLDFAST_TRY(const std::vector<MappedDevice> devices, mapped_devices());
  if (strays(devices, seen).empty()) return {};
  HOLDFAST_TRY(const Inventory now, look(patience));
  return remove_unused(strays(devices, now));
}

}  // namespace holdfast::lvm
