#include "csi-lvm/nrm/resource_pass.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "csi-lvm/nrm/quota_plan.h"

namespace holdfast::nrm {
namespace {

using block::DeviceIdentity;

constexpr std::chrono::seconds kLook{30};
constexpr std::chrono::minutes kChange{2};
constexpr int kMostRounds = 4;  // adopt, extend, look

bool same_device(const DeviceIdentity& one, const DeviceIdentity& other) {
  return one.number == other.number && one.wwn == other.wwn && one.serial == other.serial &&
         one.size_bytes == other.size_bytes && one.partition_uuid == other.partition_uuid;
}

// All that the entries name, of both kinds.
std::vector<std::string> paths_of(const Topology& own) {
  std::vector<std::string> paths;
  const auto add = [&paths](const std::vector<DeviceSelector>& devices) {
    for (const DeviceSelector& device : devices) {
      if (device.kind == DeviceSelector::Kind::kPath) paths.push_back(device.value);
    }
  };
  for (const GroupEntry& entry : own.groups) add(entry.devices);
  for (const QuotaPathEntry& entry : own.quota_paths) add(entry.devices);
  return paths;
}

std::vector<Target> targets_of(const Topology& own, const NodeFacts& facts, const Pins& pins) {
  std::vector<Target> targets;
  const auto add = [&](const std::string& entry, const std::vector<DeviceSelector>& devices) {
    std::vector<Target> found = find_targets(entry, devices, facts, pins);
    targets.insert(targets.end(), found.begin(), found.end());
  };
  for (const GroupEntry& entry : own.groups) add(entry.name, entry.devices);
  for (const QuotaPathEntry& entry : own.quota_paths) add(entry.path, entry.devices);
  return targets;
}

// Whether all that is wanted is in our own groups already, so that the host's need not be looked at. What was
// not found may be on a disk that our devices file has lost.
bool all_ours(const std::vector<Target>& targets, const NodeFacts& facts) {
  return std::ranges::all_of(targets, [&facts](const Target& target) {
    const Member* member = facts.member(target.kernel_name);
    return member != nullptr && member->group == target.entry;
  });
}

std::string listed(const std::vector<std::string>& devices) {
  std::string text;
  for (const std::string& device : devices) text.append(text.empty() ? "" : ", ").append(device);
  return text;
}

std::string done_line(Action action, const lvm::GroupDisks& disks) {
  const char* verb = action == Action::kCreate   ? "made the volume group "
                     : action == Action::kExtend ? "extended the volume group "
                                                 : "took in the host's volume group ";
  return verb + disks.group + " with " + listed(disks.devices);
}

}  // namespace

void ResourcePass::add_inventory(const lvm::Inventory& inventory, bool ours, NodeFacts& facts) const {
  const auto add_members = [&](const std::vector<lvm::PhysicalVolume>& disks, const std::string& group) {
    for (const lvm::PhysicalVolume& disk : disks) {
      if (disk.missing) continue;
      const auto device = ports_.disks.identify(disk.device);
      if (!device) continue;
      facts.members.try_emplace(device->kernel_name, Member{.uuid = disk.uuid, .group = group, .ours = ours});
    }
  };
  add_members(inventory.loose_disks, "");
  for (const lvm::VolumeGroup& group : inventory.groups) {
    const GroupFacts* known = facts.group(group.name, true);
    add_members(group.disks, group.name);
    std::vector<std::string> devices;
    devices.reserve(group.disks.size());
    for (const lvm::PhysicalVolume& disk : group.disks) devices.push_back(disk.device);
    if (!ours && known != nullptr && known->devices == devices) continue;  // ours, seen once more
    facts.groups.push_back({.name = group.name,
                            .ours = ours,
                            .missing_disks = group.missing_disks,
                            .devices = std::move(devices)});
  }
}

Result<NodeFacts> ResourcePass::look(const Topology& own, const Pins& pins) const {
  NodeFacts facts;
  HOLDFAST_TRY(facts.devices, ports_.disks.list());
  for (const std::string& path : paths_of(own)) {
    if (const auto device = ports_.disks.identify(path)) facts.links[path] = device->kernel_name;
  }
  HOLDFAST_TRY(const lvm::Inventory ours, ports_.lvm.look(kLook));
  add_inventory(ours, true, facts);
  std::vector<Target> targets = targets_of(own, facts, pins);
  if (!all_ours(targets, facts)) {
    HOLDFAST_TRY(const lvm::Inventory host, ports_.lvm.look_around(kLook));
    add_inventory(host, false, facts);
    targets = targets_of(own, facts, pins);
  }
  facts.claims = claims_of(own, facts, pins);
  for (const std::string& name : devices_to_probe(targets, facts)) {
    if (const DeviceIdentity* device = facts.device(name); device != nullptr) {
      facts.probes[name] = ports_.disks.probe(*device);
    }
  }
  return facts;
}

// The devices were looked at a moment ago; a disk that was pulled and put back since is another one.
Status ResourcePass::check_unchanged(const GroupChange& change, const NodeFacts& facts) const {
  if (change.action == Action::kAdopt) return {};
  for (const std::string& name : change.devices) {
    HOLDFAST_TRY(const DeviceIdentity now, ports_.disks.identify(device_path(name)));
    const DeviceIdentity* before = facts.device(name);
    if (before == nullptr || !same_device(*before, now)) {
      return fail(Code::kAborted, device_path(name) + " is another disk than a moment ago");
    }
  }
  return {};
}

void ResourcePass::change(const GroupChange& change, Plan& plan, const NodeFacts& facts,
                          PassResult& result) const {
  lvm::GroupDisks disks{.group = change.group, .devices = {}};
  disks.devices.reserve(change.devices.size());
  for (const std::string& device : change.devices) {
    disks.devices.push_back(change.action == Action::kAdopt ? device : device_path(device));
  }
  const auto apply = [&]() -> Status {
    HOLDFAST_CHECK(check_unchanged(change, facts));
    if (change.action == Action::kCreate) return ports_.lvm.create_group(disks, kChange);
    if (change.action == Action::kExtend) return ports_.lvm.extend_group(disks, kChange);
    return ports_.lvm.adopt_group(disks, kChange);
  };
  const Status done = apply();
  if (done) return result.done.push_back(done_line(change.action, disks));
  for (PlanRow& row : plan.rows) {
    if (row.entry != change.group || row.action != change.action) continue;
    row.action = Action::kFailed;
    row.reason = std::string(to_string(change.action)) + ": " + done.error().message;
  }
}

Status ResourcePass::run_groups(const Topology& own, bool dry_run, PassResult& result) {
  for (int round = 0; round < kMostRounds; ++round) {
    HOLDFAST_TRY(const Pins pins, load_pins(ports_.files, state_dir_));
    HOLDFAST_TRY(const NodeFacts facts, look(own, pins));
    Plan plan = plan_groups(own.groups, facts, pins);
    const std::size_t done_before = result.done.size();
    if (!dry_run) {
      if (plan.pins != pins) HOLDFAST_CHECK(save_pins(ports_.files, state_dir_, plan.pins));
      for (const GroupChange& one : plan.changes) change(one, plan, facts, result);
    }
    result.rows = std::move(plan.rows);
    const bool failed =
        std::ranges::any_of(result.rows, [](const PlanRow& row) { return row.action == Action::kFailed; });
    if (result.done.size() == done_before || failed) break;
  }
  return {};
}

Status ResourcePass::run_quota_paths(const Topology& own, bool dry_run, PassResult& result) {
  if (own.quota_paths.empty()) return {};
  HOLDFAST_TRY(Pins pins, load_pins(ports_.files, state_dir_));
  HOLDFAST_TRY(const NodeFacts facts, look(own, pins));
  for (const QuotaPathEntry& entry : own.quota_paths) {
    QuotaPathKeeper keeper(ports_.quota_mounts, ports_.files, state_dir_, pins);
    PlanRow row = keeper.settle(entry, facts, dry_run);
    result.again_soon = result.again_soon || row.action == Action::kWait;
    if (row.action == Action::kMount && !dry_run)
      result.done.push_back("mounted " + row.device + " at " + entry.path);
    result.rows.push_back(std::move(row));
  }
  return {};
}

PassResult ResourcePass::run(const Topology& own, bool dry_run) {
  PassResult result;
  Status done = run_groups(own, dry_run, result);
  if (const Status quota = run_quota_paths(own, dry_run, result); done && !quota) done = quota;
  if (!done) result.trouble = done.error().message;
  const std::vector<PlanRow> rejected = rows_of_rejected(own.rejected);
  result.rows.insert(result.rows.end(), rejected.begin(), rejected.end());
  return result;
}

}  // namespace holdfast::nrm
