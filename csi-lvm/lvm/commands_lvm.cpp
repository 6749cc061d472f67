#include "csi-lvm/lvm/commands_lvm.h"

#include <utility>

#include "common/base/text.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/lvm/mapped_devices.h"

namespace holdfast::lvm {

std::string settings_text(const LvmSettings& settings, Scope scope) {
  std::string text = scope == Scope::kOurs ? "devices/use_devicesfile=1" : "devices/use_devicesfile=0";
  text +=
      " devices/issue_discards=0 devices/ignore_suspended_devices=1 activation/monitoring=0 "
      "global/use_lvmpolld=0 "
      "activation/retry_deactivation=0 "  // five seconds in which nothing else is done; the caller asks again
      "backup/backup=";
  text += settings.backup_folder.empty() ? "0" : "1 backup/backup_dir=" + settings.backup_folder;
  if (!settings.udev) {
    // Links that are not there at once LVM makes; were udevd told to leave them alone, it would take away
    // those that it made before.
    text +=
        " activation/udev_sync=0 activation/udev_rules=1 activation/verify_udev_operations=1 "
        "devices/obtain_device_list_from_udev=0";
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
      is_ours_(settings.is_ours),
      known_disks_file_(settings.known_disks),
      devices_(settings.devices) {
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
  HOLDFAST_TRY(LvmAnswer answer, queue_.run(change, patience));
  // LVM tells a pool again what it had told it when it was killed, and takes "it is there" for a fault.
  const auto unnoted = answer.succeeded ? std::nullopt : unnoted_thin(answer.talk + answer.output);
  if (unnoted && forget_thin(*unnoted)) {
    HOLDFAST_TRY(answer, queue_.run(std::move(change), patience));
  }
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

}  // namespace holdfast::lvm
