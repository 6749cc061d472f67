#include "csi-lvm/lvm/commands_lvm.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/base/text.h"
#include "csi-lvm/lvm/devices_file.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/lvm/lvm_faults.h"
#include "csi-lvm/lvm/mapped_devices.h"

namespace holdfast::lvm {
namespace {

// A disk that is gone stays gone for long, and looking at all of the host's takes LVM a while.
constexpr std::chrono::seconds kBetweenSearches{30};

// LVM takes whole sectors only.
std::string bytes(std::uint64_t count) {
  constexpr std::uint64_t kSector = 512;
  const std::uint64_t odd = count % kSector;
  return std::to_string(odd == 0 ? count : count + (kSector - odd)) + "b";
}

Status check_tags(const std::vector<std::string>& tags) {
  for (const std::string& tag : tags) HOLDFAST_CHECK(check_tag(tag));
  return {};
}

Status check(const VolumeName& name) { return check_volume_name(name.group, name.volume); }

void append_each(std::vector<std::string>& words, const char* option,
                 const std::vector<std::string>& values) {
  for (const std::string& value : values) words.insert(words.end(), {option, value});
}

std::vector<std::string> words_to_create(const NewVolume& wanted) {
  std::vector<std::string> words{"lvcreate", "--yes", "--name", wanted.name.volume};
  if (!wanted.pool.empty()) {
    words.insert(words.end(), {"--virtualsize", bytes(wanted.size_bytes), "--thinpool", wanted.pool});
  } else {
    // The node activates what it stages; a reboot alone makes no device appear.
    words.insert(words.end(), {"--size", bytes(wanted.size_bytes), "--wipesignatures", "y", "--zero", "y",
                               "--setautoactivation", "n"});
    if (wanted.stripes > 1) words.insert(words.end(), {"--stripes", std::to_string(wanted.stripes)});
    if (wanted.stripes > 1 && wanted.stripe_bytes > 0) {
      words.insert(words.end(), {"--stripesize", bytes(wanted.stripe_bytes)});
    }
  }
  append_each(words, "--addtag", wanted.tags);
  words.push_back(wanted.name.group);
  return words;
}

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

}  // namespace

std::string settings_text(const LvmSettings& settings, Scope scope) {
  std::string text = scope == Scope::kOurs ? "devices/use_devicesfile=1" : "devices/use_devicesfile=0";
  text +=
      " devices/issue_discards=0 devices/ignore_suspended_devices=1 activation/monitoring=0 "
      "global/use_lvmpolld=0 "
      "activation/retry_deactivation=0 "  // five seconds in which nothing else is done; the caller asks again
      "backup/backup=";
  text += settings.backup_folder.empty() ? "0" : "1 backup/backup_dir=" + settings.backup_folder;
  if (!settings.udev) {
    text += " activation/udev_sync=0 activation/udev_rules=0 devices/obtain_device_list_from_udev=0";
  }
  if (settings.archive_folder.empty()) return text + " backup/archive=0";
  return text + " backup/archive=1 backup/retain_min=20 backup/retain_days=14 backup/archive_dir=" +
         settings.archive_folder;
}

CommandsLvm::CommandsLvm(LvmQueue& queue, LvmSettings settings)
    : queue_(queue),
      archiving_settings_(settings_text(settings)),
      host_settings_(settings_text(settings, Scope::kHost)),
      devices_file_(settings.devices_file),
      archive_folder_(settings.archive_folder),
      between_archives_(settings.between_archives),
      is_ours_(settings.is_ours) {
  settings.archive_folder.clear();
  settings_ = settings_text(settings);
}

LvmCommand CommandsLvm::command(Effect effect, std::vector<std::string> words,
                                const std::string& settings) const {
  words.insert(words.begin() + 1, {"--config", settings, "--devicesfile", devices_file_});
  return {.effect = effect, .words = std::move(words)};
}

bool CommandsLvm::begin_archive(const std::string& group) {
  if (group == kNoMetadata || archiving_settings_ == settings_) return false;
  const auto now = SteadyClock::now();
  const std::scoped_lock lock(mutex_);
  const auto last = archived_.find(group);
  if (last != archived_.end() && now - last->second < between_archives_) return false;
  archived_[group] = now;
  return true;
}

void CommandsLvm::forget_archive(const std::string& group) {
  const std::scoped_lock lock(mutex_);
  archived_.erase(group);
}

Result<std::string> CommandsLvm::run(const std::string& group, std::vector<std::string> words,
                                     Patience patience, bool joins) {
  if (!begin_archive(group)) return run_with(settings_, std::move(words), patience, joins);
  auto kept = run_with(archiving_settings_, words, patience, joins);
  if (kept && kept->empty()) return kept;
  // Where LVM cannot keep what is before a change it makes none, not even one that frees room.
  auto done = kept ? run_with(settings_, std::move(words), patience, joins) : kept;
  if (done && done->empty()) {
    warn("the metadata of the volume group " + group + " from before a change were not kept; make room in " +
         archive_folder_ + ": " + std::string(trim(*kept)));
  } else {
    forget_archive(group);
  }
  return done;
}

Result<std::string> CommandsLvm::run_with(const std::string& settings, std::vector<std::string> words,
                                          Patience patience, bool joins) {
  LvmCommand change = command(Effect::kChanges, std::move(words), settings);
  change.joins = joins;
  HOLDFAST_TRY(const LvmAnswer answer, queue_.run(std::move(change), patience));
  if (answer.succeeded) return std::string();
  std::string said = answer.talk + answer.output;
  return said.empty() ? "LVM gave no reason" : said;
}

void CommandsLvm::warn(std::string what) {
  const std::scoped_lock lock(mutex_);
  warnings_.push_back(std::move(what));
}

std::vector<std::string> CommandsLvm::take_warnings() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(warnings_, {});
}

Result<Inventory> CommandsLvm::look(Patience patience) {
  HOLDFAST_TRY(Inventory seen, look_once(patience));
  if (!is_ours_) return seen;
  HOLDFAST_TRY(const bool names_disks, has_disks(devices_file_));
  if (names_disks && !seen.groups.empty()) return is_to_search(seen) ? search(seen, patience) : seen;
  // Without a file LVM looks at all disks, until somebody makes one, which names new disks alone.
  HOLDFAST_TRY(const bool more, regain_groups(names_disks ? seen : Inventory{}, patience));
  return more ? look_once(patience) : std::move(seen);
}

bool CommandsLvm::is_to_search(const Inventory& seen) {
  const bool lacks_some =
      std::ranges::any_of(seen.groups, [](const VolumeGroup& group) { return group.missing_disks > 0; });
  if (!lacks_some) return false;
  const auto now = SteadyClock::now();
  const std::scoped_lock lock(mutex_);
  if (searched_ && now - *searched_ < kBetweenSearches) return false;
  searched_ = now;
  return true;
}

// Where they do not come back, what is seen is served without them.
Result<Inventory> CommandsLvm::search(const Inventory& seen, Patience patience) {
  const auto more = regain_groups(seen, patience);
  if (more) return *more ? look_once(patience) : seen;
  warn("a volume group lacks disks, and those of the host could not be searched for them: " +
       more.error().message);
  return seen;
}

Result<Inventory> CommandsLvm::look_once(Patience patience) {
  return report(command(Effect::kReports, inventory_command(), settings_), patience);
}

Result<LogicalVolume> CommandsLvm::look_at(const VolumeName& name, Patience patience) {
  HOLDFAST_CHECK(check(name));
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
  if (!inventory) return inventory;
  for (VolumeGroup& group : inventory->groups) {
    for (LogicalVolume& volume : group.volumes) find_unlinked(group.name, volume);
  }
  return inventory;
}

Status CommandsLvm::take_room(const std::string& group, const std::vector<std::string>& words,
                              Patience patience, const Why& why) {
  for (bool again = false;; again = true) {
    HOLDFAST_TRY(const std::string said, run(group, words, patience));
    if (said.empty()) return {};
    HOLDFAST_TRY(const Inventory after, look(patience));
    Status done = why(after, said);
    if (done || again || done.error().code != Code::kInternal) return done;
  }
}

Status CommandsLvm::create(const NewVolume& wanted, Patience patience) {
  HOLDFAST_CHECK(check(wanted.name));
  HOLDFAST_CHECK(check_tags(wanted.tags));
  if (!wanted.pool.empty()) HOLDFAST_CHECK(check_name(wanted.pool));
  return take_room(wanted.name.group, words_to_create(wanted), patience,
                   [&wanted](const Inventory& after, std::string_view said) {
                     return why_not_created(after, wanted, said);
                   });
}

Status CommandsLvm::create_snapshot(const NewSnapshot& wanted, Patience patience) {
  HOLDFAST_CHECK(check(wanted.origin));
  HOLDFAST_CHECK(check_volume_name(wanted.origin.group, wanted.name));
  HOLDFAST_CHECK(check_tags(wanted.tags));
  std::vector<std::string> words{"lvcreate", "--yes", "--snapshot", "--name", wanted.name};
  if (wanted.room_bytes > 0) words.insert(words.end(), {"--size", bytes(wanted.room_bytes)});
  append_each(words, "--addtag", wanted.tags);
  words.push_back(wanted.origin.text());
  return take_room(wanted.origin.group, words, patience,
                   [&wanted](const Inventory& after, std::string_view said) {
                     return why_no_snapshot(after, wanted, said);
                   });
}

Status CommandsLvm::create_pool(const NewPool& wanted, Patience patience) {
  HOLDFAST_CHECK(check(wanted.name));
  HOLDFAST_CHECK(check_tags(wanted.tags));
  std::vector<std::string> words{
      "lvcreate", "--yes",  "--type",           "thin-pool", "--zero",
      "y",        "--name", wanted.name.volume, "--size",    bytes(wanted.size_bytes)};
  append_each(words, "--addtag", wanted.tags);
  words.push_back(wanted.name.group);
  return take_room(
      wanted.name.group, words, patience,
      [&wanted](const Inventory& after, std::string_view said) { return why_no_pool(after, wanted, said); });
}

Status CommandsLvm::extend(const VolumeName& name, std::uint64_t size_bytes, Patience patience) {
  HOLDFAST_CHECK(check(name));
  return take_room(name.group, {"lvextend", "--size", bytes(size_bytes), name.text()}, patience,
                   [&](const Inventory& after, std::string_view said) {
                     return why_not_extended(after, name, size_bytes, said);
                   });
}

Status CommandsLvm::extend_metadata(const VolumeName& pool, std::uint64_t size_bytes, Patience patience) {
  HOLDFAST_CHECK(check(pool));
  return take_room(pool.group, {"lvextend", "--poolmetadatasize", bytes(size_bytes), pool.text()}, patience,
                   [&](const Inventory& after, std::string_view said) {
                     return why_metadata_not_extended(after, pool, size_bytes, said);
                   });
}

Status CommandsLvm::change_tags(const VolumeName& name, const std::vector<std::string>& remove,
                                const std::vector<std::string>& add, Patience patience) {
  HOLDFAST_CHECK(check(name));
  HOLDFAST_CHECK(check_tags(remove));
  HOLDFAST_CHECK(check_tags(add));
  if (remove.empty() && add.empty()) return {};
  std::vector<std::string> words{"lvchange"};
  append_each(words, "--deltag", remove);
  append_each(words, "--addtag", add);
  words.push_back(name.text());
  HOLDFAST_TRY(const std::string said, run(name.group, std::move(words), patience, /*joins=*/true));
  if (said.empty()) return {};
  HOLDFAST_TRY(const Inventory after, look(patience));
  return why_not_tagged(after, name, remove, add, said);
}

Status CommandsLvm::change_group_tags(const std::string& group, const std::vector<std::string>& remove,
                                      const std::vector<std::string>& add, Patience patience) {
  HOLDFAST_CHECK(check_name(group));
  HOLDFAST_CHECK(check_tags(remove));
  HOLDFAST_CHECK(check_tags(add));
  if (remove.empty() && add.empty()) return {};
  std::vector<std::string> words{"vgchange"};
  append_each(words, "--deltag", remove);
  append_each(words, "--addtag", add);
  words.push_back(group);
  HOLDFAST_TRY(const std::string said, run(group, std::move(words), patience));
  if (said.empty()) return {};
  HOLDFAST_TRY(const Inventory after, look(patience));
  return why_group_not_tagged(after, group, remove, add, said);
}

Status CommandsLvm::remove(const VolumeName& name, Patience patience) {
  HOLDFAST_CHECK(check(name));
  HOLDFAST_TRY(const Inventory before, look(patience));
  HOLDFAST_CHECK(may_remove(before, name));
  const VolumeGroup& group = *before.group(name.group);
  const LogicalVolume* found = group.volume(name.volume);
  if (found == nullptr) return {};
  if (found->layout == Layout::kThinPool && !found->active) {
    // LVM, killed while it made the pool: with a part of it active LVM does nothing to a pool.
    HOLDFAST_TRY(const std::vector<MappedDevice> devices, mapped_devices());
    HOLDFAST_CHECK(remove_unused(parts_of(devices, group)));
  }
  HOLDFAST_TRY(const std::string said,
               run(name.group, {"lvremove", "--yes", name.text()}, patience, /*joins=*/true));
  if (said.empty()) return {};
  HOLDFAST_TRY(const Inventory after, look(patience));
  return why_not_removed(after, name, said);
}

}  // namespace holdfast::lvm
