#include <utility>

#include "common/base/files.h"
#include "csi-lvm/lvm/commands_lvm.h"
#include "csi-lvm/lvm/devices_file.h"
#include "csi-lvm/lvm/known_disks.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/lvm/lvm_environment.h"
#include "csi-lvm/lvm/lvm_faults.h"

// What CommandsLvm does to groups and their disks. No command has --yes: a question about what is on a disk
// is answered with no, and the disk stays as it is.
namespace holdfast::lvm {
namespace {

Status check(const GroupDisks& wanted) {
  HOLDFAST_CHECK(check_name(wanted.group));
  if (wanted.devices.empty()) return fail(Code::kInvalidArgument, "no disks for the group " + wanted.group);
  for (const std::string& device : wanted.devices) HOLDFAST_CHECK(check_device_path(device));
  return {};
}

// LVM replaces the file and does not wait for the disk: after a loss of power it was found empty, and the
// groups gone from our sight.
Status make_durable(const std::string& devices_file) {
  PosixFiles files;
  const std::filesystem::path folder = devices_folder();
  const Status synced = files.sync_file(folder / devices_file);
  if (!synced && synced.error().code == Code::kNotFound) return {};  // LVM does without it
  HOLDFAST_CHECK(synced);
  return files.sync_folder(folder);
}

// "/dev/vdb, /dev/vdc"
std::string disks_text(const GroupDisks& group) {
  std::string text;
  for (const std::string& device : group.devices) text += (text.empty() ? "" : ", ") + device;
  return text;
}

}  // namespace

Result<Inventory> CommandsLvm::look_around(Patience patience) {
  std::vector<std::string> words = inventory_command();
  words.insert(words.begin() + 1, {"--config", host_settings_});
  return report({.effect = Effect::kReports, .words = std::move(words), .apart = true}, patience);
}

Status CommandsLvm::change_group(std::vector<std::string> words, const GroupDisks& wanted,
                                 Patience patience) {
  const bool create = words.front() == "vgcreate";
  HOLDFAST_CHECK(check(wanted));
  words.push_back(wanted.group);
  words.insert(words.end(), wanted.devices.begin(), wanted.devices.end());
  HOLDFAST_TRY(const std::string said, run(wanted.group, std::move(words), patience));
  if (said.empty()) return make_durable(devices_file_);
  HOLDFAST_TRY(const Inventory after, look(patience));
  return create ? why_no_group(after, wanted, said) : why_not_in_group(after, wanted, said);
}

Status CommandsLvm::create_group(const GroupDisks& wanted, Patience patience) {
  return change_group({"vgcreate"}, wanted, patience);
}

Status CommandsLvm::extend_group(const GroupDisks& wanted, Patience patience) {
  return change_group({"vgextend"}, wanted, patience);
}

Status CommandsLvm::adopt_group(const GroupDisks& wanted, Patience patience) {
  HOLDFAST_CHECK(check(wanted));
  std::string said;
  for (const std::string& device : wanted.devices) {
    LvmCommand add = command(Effect::kChanges, {"lvmdevices", "--adddev", device}, settings_);
    add.apart = true;
    HOLDFAST_TRY(const LvmAnswer answer, queue_.run(std::move(add), patience));
    if (!answer.succeeded) said += answer.talk + answer.output;
  }
  HOLDFAST_CHECK(make_durable(devices_file_));
  HOLDFAST_TRY(const Inventory after, look_once(patience));
  return why_not_in_group(after, wanted, said);
}

Status CommandsLvm::regain(const GroupDisks& group, Patience patience) {
  const std::string file = (devices_folder() / devices_file_).native();
  const std::string disks = disks_text(group);
  if (const Status taken = adopt_group(group, patience); !taken) {
    return fail(Code::kUnavailable, file + " does not name all disks of the volume group " + group.group +
                                        ", which is ours; add them (" + disks +
                                        ") by lvm lvmdevices --devicesfile " + devices_file_ +
                                        " --adddev: " + taken.error().message);
  }
  warn(file + " was gone, empty, damaged or lacked a line: disks of the volume group " + group.group + " (" +
       disks + "), which is ours, were added again");
  return {};
}

std::set<std::string> CommandsLvm::known_disks() {
  if (known_disks_file_.empty()) return {};
  const std::scoped_lock lock(mutex_);
  if (known_disks_) return *known_disks_;
  PosixFiles files;
  auto kept = load_known_disks(files, known_disks_file_);
  if (!kept) {
    warnings_.push_back("which disks were ours cannot be told: " + kept.error().message);
    return {};
  }
  known_disks_ = *std::move(kept);
  return *known_disks_;
}

void CommandsLvm::keep_known_disks(const std::set<std::string>& named) {
  if (known_disks_file_.empty()) return;
  const std::scoped_lock lock(mutex_);
  if (known_disks_ == named) return;
  PosixFiles files;
  const Status kept = save_known_disks(files, known_disks_file_, named);
  // What is not on the disk counts while this process lives, and is not tried again with every look.
  known_disks_ = named;
  if (!kept) warnings_.push_back("which disks are ours cannot be kept: " + kept.error().message);
}

Result<bool> CommandsLvm::regain_groups(const Inventory& seen, const std::set<std::string>& known,
                                        Patience patience) {
  PosixFiles files;
  HOLDFAST_TRY(const Inventory host, look_around(patience));
  HOLDFAST_TRY(const auto claimed, disks_of_others(files, devices_folder(), devices_file_));
  const std::vector<GroupDisks> lost = lost_groups(
      seen, host, claimed,
      [this, &known](const VolumeGroup& group) { return is_ours_(group) || is_of(group, known); });
  for (const GroupDisks& group : lost) HOLDFAST_CHECK(regain(group, patience));
  return !lost.empty();
}

}  // namespace holdfast::lvm
