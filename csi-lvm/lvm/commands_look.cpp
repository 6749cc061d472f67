#include <unistd.h>

#include <algorithm>
#include <utility>

#include "csi-lvm/lvm/commands_lvm.h"
#include "csi-lvm/lvm/devices_file.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/lvm/lvm_faults.h"

// What CommandsLvm tells of groups and volumes.
namespace holdfast::lvm {
namespace {

// A disk that is gone stays gone for long, and looking at all of the host's takes LVM a while.
constexpr std::chrono::seconds kBetweenSearches{30};

bool has_link(const LogicalVolume& volume) {
  return volume.layout == Layout::kLinear || volume.layout == Layout::kStriped ||
         volume.layout == Layout::kThin;
}

// A command of LVM's that was killed after it had loaded a device's table may not have linked the device
// again.
void find_unlinked(const std::string& group, LogicalVolume& volume) {
  if (!volume.active || volume.unsettled || !has_link(volume)) return;
  volume.unsettled = ::access(("/dev/" + VolumeName{group, volume.name}.text()).c_str(), F_OK) != 0;
}

void find_unlinked(Inventory& inventory) {
  for (VolumeGroup& group : inventory.groups) {
    for (LogicalVolume& volume : group.volumes) find_unlinked(group.name, volume);
  }
}

bool has_unsettled(const Inventory& inventory) {
  return std::ranges::any_of(inventory.groups, [](const VolumeGroup& group) {
    return std::ranges::any_of(group.volumes, &LogicalVolume::unsettled);
  });
}

}  // namespace

Result<Inventory> CommandsLvm::look(Patience patience) {
  HOLDFAST_TRY(Inventory seen, look_once(patience));
  HOLDFAST_TRY(const auto file, disks_of(devices_file_));
  // Without a file LVM looks at all disks, until somebody makes one, which names new disks alone.
  if (!file) seen = {};
  const std::set<std::string> named = file.value_or(std::set<std::string>());
  if (is_ours_) {
    HOLDFAST_TRY(seen, with_lost_groups(std::move(seen), named, patience));
  }
  seen.unseen_disks = unseen_of(named, seen);
  return seen;
}

Result<Inventory> CommandsLvm::with_lost_groups(Inventory seen, const std::set<std::string>& named,
                                                Patience patience) {
  const std::set<std::string> known = known_disks();
  if (!is_another(named, known) && !seen.groups.empty()) {
    const bool fewer = !std::ranges::includes(named, known);
    if (!fewer) keep_known_disks(named);
    return is_to_search(seen, fewer) ? search(seen, named, patience) : seen;
  }
  HOLDFAST_TRY(const bool more, regain_groups(seen, known, patience));
  if (more) return look_once(patience);
  if (!named.empty()) keep_known_disks(named);
  return seen;
}

bool CommandsLvm::is_to_search(const Inventory& seen, bool fewer) {
  const bool lacks_some =
      std::ranges::any_of(seen.groups, [](const VolumeGroup& group) { return group.missing_disks > 0; });
  if (!fewer && !lacks_some) return false;
  const auto now = SteadyClock::now();
  const std::scoped_lock lock(mutex_);
  if (searched_ && now - *searched_ < kBetweenSearches) return false;
  searched_ = now;
  return true;
}

// Where they do not come back, what is seen is served without them. An empty group whose disks somebody took
// out of our file, with others left in it, is not searched for: he may want it for himself.
Result<Inventory> CommandsLvm::search(const Inventory& seen, const std::set<std::string>& named,
                                      Patience patience) {
  const auto more = regain_groups(seen, {}, patience);
  if (!more) {
    warn(
        "a volume group lacks disks, or our devices file lines, and the host's disks could not be "
        "searched: " +
        more.error().message);
    return seen;
  }
  if (*more) return look_once(patience);
  keep_known_disks(named);
  return seen;
}

// LVM asks device-mapper for each volume by itself, several times; of all at once that takes a tenth.
Result<Inventory> CommandsLvm::look_once(Patience patience) {
  if (plain_) {
    HOLDFAST_TRY(std::optional<Inventory> seen, look_at_plain(patience));
    if (seen) return *std::move(seen);
  }
  HOLDFAST_TRY(Inventory seen, report(command(Effect::kReports, inventory_command(), settings_), patience));
  find_unlinked(seen);
  plain_ = is_plain(seen);
  return seen;
}

Result<std::optional<Inventory>> CommandsLvm::look_at_plain(Patience patience) {
  HOLDFAST_TRY(Inventory seen, report(command(Effect::kReports, metadata_command(), settings_), patience));
  const auto devices = devices_();
  if (!devices || !is_plain(seen)) return std::nullopt;
  tell_devices(*devices, seen);
  find_unlinked(seen);
  if (has_unsettled(seen)) return std::nullopt;
  return seen;
}

Result<LogicalVolume> CommandsLvm::look_at(const VolumeName& name, Patience patience) {
  HOLDFAST_CHECK(check_volume_name(name.group, name.volume));
  HOLDFAST_TRY(const LvmAnswer answer,
               queue_.run(command(Effect::kReports, volume_command(name.text()), settings_), patience));
  if (auto volume = parse_volume(answer.output); volume && *volume) {
    find_unlinked(name.group, **volume);
    return **std::move(volume);
  }
  // Only the whole inventory tells what is missing, the volume or its group.
  HOLDFAST_TRY(const Inventory now, look(patience));
  HOLDFAST_TRY(const LogicalVolume* found, find_volume(now, name));
  return *found;
}

Result<Inventory> CommandsLvm::report(LvmCommand command, Patience patience) {
  HOLDFAST_TRY(const LvmAnswer answer, queue_.run(std::move(command), patience));
  // A group with a missing disk makes the command fail, and all is told nevertheless.
  auto inventory = parse_inventory(answer.output);
  if (!inventory && !answer.succeeded) return fail(Code::kUnavailable, "LVM cannot report: " + answer.talk);
  return inventory;
}

}  // namespace holdfast::lvm
