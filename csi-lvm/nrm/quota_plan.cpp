#include "csi-lvm/nrm/quota_plan.h"

#include <utility>

namespace holdfast::nrm {
namespace {

using block::DeviceIdentity;

/// The pin of one folder's device, as the place where its provenance is kept.
class PinnedProvenance final : public block::ProvenanceRecord {
 public:
  PinnedProvenance(Files& files, const std::filesystem::path& state_dir, Pins& pins, Pin pin)
      : files_(files), state_dir_(state_dir), pins_(pins), pin_(std::move(pin)) {}

  Status write(const block::Provenance& provenance) override {
    pin_.provenance = block::to_string(provenance);
    remember(pins_, pin_);
    return save_pins(files_, state_dir_, pins_);
  }

 private:
  Files& files_;
  const std::filesystem::path& state_dir_;
  Pins& pins_;
  Pin pin_;
};

PlanRow row_of(const QuotaPathEntry& entry) {
  return {.entry = entry.path,
          .selector = {},
          .device = {},
          .identity = {},
          .action = Action::kMissing,
          .reason = {}};
}

// Of this device. Where nothing of it lasts and its name must do, another disk may have come under that: what
// is told by the uuid of its file system is known of that one alone, and what allows to format, of none.
block::Provenance known_provenance(const Pins& pins, const Target& target) {
  if (target.pin && target.pin->lasts()) return block::parse_provenance(target.pin->provenance);
  for (const Pin& pin : pins) {
    if (pin.entry != target.entry || pin.selector != target.selector) continue;
    const block::Provenance told = block::parse_provenance(pin.provenance);
    return told.kind == block::Provenance::Kind::kFormatted ? told : block::Provenance{};
  }
  return {};
}

}  // namespace

QuotaPlan plan_quota_path(const QuotaPathEntry& entry, const NodeFacts& facts, const Pins& pins,
                          const FolderFacts& folder) {
  QuotaPlan plan{.row = row_of(entry), .kernel_name = {}, .provenance = {}};
  const std::vector<Target> targets = find_targets(entry.path, entry.devices, facts, pins);
  const Target* target = disk_of_folder(targets);
  if (target == nullptr) {
    plan.row.reason = "no disk fits";
    return plan;
  }
  plan.row.selector = target->selector;
  plan.row.reason = target->why;
  const DeviceIdentity* device = facts.device(target->kernel_name);
  if (device == nullptr) return plan;
  plan.row.device = device_path(device->kernel_name);
  plan.row.identity = identity_text(*device);
  plan.row.action = Action::kRefuse;
  if (folder.mounted == device->kernel_name) {
    plan.row.action = Action::kKept;
  } else if (!folder.mounted.empty()) {
    plan.row.reason = "has " + folder.mounted + " mounted, which is another";
  } else if (!folder.in_the_way.empty()) {
    plan.row.reason = folder.in_the_way;
  } else if (const Member* member = facts.member(device->kernel_name); member != nullptr) {
    plan.row.reason =
        "is a physical volume of LVM's" + (member->group.empty() ? "" : ", in " + member->group);
  } else if (plan.row.reason = why_not_usable(facts, *device, entry.path, entry.fs_type);
             plan.row.reason.empty()) {
    plan.row.action = Action::kMount;
    plan.kernel_name = device->kernel_name;
    plan.provenance = known_provenance(pins, *target);
  }
  return plan;
}

PlanRow QuotaPathKeeper::settle(const QuotaPathEntry& entry, const NodeFacts& facts, bool dry_run) {
  const auto folder = mounts_.look_at(entry.path);
  if (!folder) {
    PlanRow row = row_of(entry);
    row.action = Action::kFailed;
    row.reason = folder.error().message;
    return row;
  }
  QuotaPlan plan = plan_quota_path(entry, facts, pins_, *folder);
  if (plan.row.action != Action::kMount || dry_run) return std::move(plan.row);
  PinnedProvenance record(files_, state_dir_, pins_,
                          make_pin(entry.path, plan.row.selector, *facts.device(plan.kernel_name)));
  Status done = record.write(plan.provenance);
  if (done) {
    done = mounts_.mount({.path = entry.path,
                          .device = device_path(plan.kernel_name),
                          .fs_type = entry.fs_type,
                          .provenance = plan.provenance},
                         record);
  }
  if (done) return std::move(plan.row);
  plan.row.action = done.error().code == Code::kAborted ? Action::kWait : Action::kFailed;
  plan.row.reason = done.error().message;
  return std::move(plan.row);
}

}  // namespace holdfast::nrm
