#include "csi-lvm/nrm/plan.h"

#include <algorithm>
#include <map>
#include <utility>

namespace holdfast::nrm {
namespace {

using block::DeviceIdentity;

struct Verdict {
  Action action = Action::kRefuse;
  std::string reason;
};

class Planner {
 public:
  Planner(const std::vector<GroupEntry>& groups, const NodeFacts& facts, const Pins& pins)
      : groups_(groups), facts_(facts) {
    plan_.pins = pins;
    for (const GroupEntry& group : groups_) {
      for (Target& target : find_targets(group.name, group.devices, facts_, pins)) {
        targets_.push_back(std::move(target));
      }
    }
  }

  Plan plan() {
    for (const Target& target : targets_) {
      if (target.kernel_name.empty()) {
        add_row(target, nullptr, {Action::kMissing, target.why});
      } else {
        decide(target);
      }
    }
    add_degraded();
    return std::move(plan_);
  }

 private:
  void decide(const Target& target) {
    const DeviceIdentity* device = facts_.device(target.kernel_name);
    if (device == nullptr) return add_row(target, nullptr, {Action::kMissing, "is not there any more"});
    const auto before = decided_.find(target.kernel_name);
    if (before != decided_.end())
      return repeat(target, *device, *before->second.first, before->second.second);
    Verdict verdict = judge(target, *device);
    if (target.optional && verdict.action == Action::kRefuse) verdict.action = Action::kSkip;
    // What a description has passed over may be named by another entry.
    if (verdict.action != Action::kSkip) decided_[target.kernel_name] = {&target, verdict};
    carry_out(target, *device, verdict);
    add_row(target, device, std::move(verdict));
  }

  // A device that another selector has named before.
  void repeat(const Target& target, const DeviceIdentity& device, const Target& first,
              const Verdict& verdict) {
    if (target.optional) return;
    if (first.entry != target.entry) {
      std::string why = why_claimed(facts_, target.kernel_name, target.entry);
      if (why.empty()) why = "is named by the entry " + first.entry + " too";
      return add_row(target, &device, {Action::kRefuse, std::move(why)});
    }
    const bool moved =
        first.pin.has_value() != target.pin.has_value() && target.selector.starts_with("/dev/");
    if (moved) {
      const std::string& other = first.pin ? first.selector : target.selector;
      return add_row(target, &device,
                     {Action::kRefuse, "is the disk that " + other +
                                           " was when it was taken: name the other one by wwn: or serial:"});
    }
    if (is_taken(verdict.action)) remember(plan_.pins, pin_of(target, device));
    add_row(target, &device, verdict);
  }

  [[nodiscard]] static bool is_taken(Action action) {
    return action == Action::kKept || action == Action::kCreate || action == Action::kExtend;
  }

  [[nodiscard]] Verdict judge(const Target& target, const DeviceIdentity& device) const {
    if (const Member* member = facts_.member(target.kernel_name); member != nullptr) {
      return judge_member(target, *member, device);
    }
    if (target.pin && !target.pin->pv_uuid.empty()) {
      return {Action::kRefuse, "was taken as the physical volume " + target.pin->pv_uuid +
                                   ", and is none now: its data may be lost, and nothing is done to it"};
    }
    if (std::string why = why_not_usable(facts_, device, target.entry, ""); !why.empty()) {
      return {Action::kRefuse, std::move(why)};
    }
    return place(target);
  }

  [[nodiscard]] Verdict judge_member(const Target& target, const Member& member,
                                     const DeviceIdentity& device) const {
    if (member.group.empty()) {
      // LVM was cut off between marking the disk, which we had proved empty, and making the group
      if (member.ours && target.pin && target.pin->pv_uuid.empty()) return place(target);
      return {Action::kRefuse, "is a physical volume of no group; " + how_to_unmark(device)};
    }
    if (member.group != target.entry) return {Action::kRefuse, "is in the volume group " + member.group};
    if (target.pin && !target.pin->pv_uuid.empty() && target.pin->pv_uuid != member.uuid) {
      return {Action::kRefuse, "is the physical volume " + member.uuid + ", and was " + target.pin->pv_uuid +
                                   " when it was taken"};
    }
    if (member.ours) return {Action::kKept, ""};
    if (facts_.group(member.group, true) != nullptr) {
      return {Action::kRefuse, "is in another volume group that is called " + member.group + " too"};
    }
    return {Action::kAdopt, "the host's LVM has this group"};
  }

  // Of a disk that may be used.
  [[nodiscard]] Verdict place(const Target& target) const {
    if (const GroupFacts* group = facts_.group(target.entry, true); group != nullptr) {
      if (group->missing_disks == 0) return {Action::kExtend, ""};
      return {Action::kWait, "the group lacks a disk; it is not extended until that is mended"};
    }
    const GroupFacts* host = facts_.group(target.entry, false);
    if (host == nullptr) return {Action::kCreate, ""};
    if (is_wanted(*host)) return {Action::kWait, "the host's group of this name is taken in first"};
    return {Action::kRefuse, "the host has a volume group of this name on other disks (" +
                                 (host->devices.empty() ? std::string("?") : host->devices.front()) +
                                 "): choose another name, or name its disks too"};
  }

  // Whether a disk of the host's group is named by the entry of its name.
  [[nodiscard]] bool is_wanted(const GroupFacts& group) const {
    return std::ranges::any_of(targets_, [&](const Target& target) {
      const Member* member = facts_.member(target.kernel_name);
      return target.entry == group.name && member != nullptr && !member->ours && member->group == group.name;
    });
  }

  [[nodiscard]] Pin pin_of(const Target& target, const DeviceIdentity& device) const {
    Pin pin = make_pin(target.entry, target.selector, device);
    // some drivers and makers give all disks one serial number: then only what is on them tells
    const auto is_this = [&pin](const DeviceIdentity& other) { return is_of(pin, other); };
    if (std::ranges::count_if(facts_.devices, is_this) > 1) {
      pin.wwn.clear();
      pin.serial.clear();
      pin.partition_uuid.clear();
    }
    if (const Member* member = facts_.member(target.kernel_name); member != nullptr)
      pin.pv_uuid = member->uuid;
    return pin;
  }

  void carry_out(const Target& target, const DeviceIdentity& device, const Verdict& verdict) {
    if (is_taken(verdict.action)) remember(plan_.pins, pin_of(target, device));
    if (verdict.action == Action::kAdopt) {
      GroupChange& change = change_of(Action::kAdopt, target.entry);
      change.devices = facts_.group(target.entry, false)->devices;
    }
    if (verdict.action == Action::kCreate || verdict.action == Action::kExtend) {
      change_of(verdict.action, target.entry).devices.push_back(target.kernel_name);
    }
  }

  GroupChange& change_of(Action action, const std::string& group) {
    for (GroupChange& change : plan_.changes) {
      if (change.action == action && change.group == group) return change;
    }
    plan_.changes.push_back({.action = action, .group = group, .devices = {}});
    return plan_.changes.back();
  }

  void add_row(const Target& target, const DeviceIdentity* device, Verdict verdict) {
    PlanRow row{.entry = target.entry,
                .selector = target.selector,
                .device = {},
                .identity = {},
                .action = verdict.action,
                .reason = std::move(verdict.reason)};
    if (device != nullptr) {
      row.device = device_path(device->kernel_name);
      row.identity = identity_text(*device);
    }
    plan_.rows.push_back(std::move(row));
  }

  void add_degraded() {
    for (const GroupFacts& facts : facts_.groups) {
      const bool wanted = std::ranges::find(groups_, facts.name, &GroupEntry::name) != groups_.end();
      if (!wanted || !facts.ours || facts.missing_disks == 0) continue;
      plan_.rows.push_back({.entry = facts.name,
                            .selector = {},
                            .device = {},
                            .identity = {},
                            .action = Action::kDegraded,
                            .reason = "lacks " + std::to_string(facts.missing_disks) +
                                      " of its disks: bring them back, or take them out with vgreduce"});
    }
  }

  const std::vector<GroupEntry>& groups_;
  const NodeFacts& facts_;
  std::vector<Target> targets_;
  std::map<std::string, std::pair<const Target*, Verdict>> decided_;  // by kernel name
  Plan plan_;
};

}  // namespace

Plan plan_groups(const std::vector<GroupEntry>& groups, const NodeFacts& facts, const Pins& pins) {
  return Planner(groups, facts, pins).plan();
}

std::vector<PlanRow> rows_of_rejected(const std::vector<Rejected>& rejected) {
  std::vector<PlanRow> rows;
  rows.reserve(rejected.size());
  for (const Rejected& entry : rejected) {
    rows.push_back({.entry = entry.entry,
                    .selector = {},
                    .device = {},
                    .identity = {},
                    .action = Action::kRefuse,
                    .reason = entry.why});
  }
  return rows;
}

}  // namespace holdfast::nrm
