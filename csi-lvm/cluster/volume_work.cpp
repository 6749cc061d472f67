#include "csi-lvm/cluster/volume_work.h"

#include <utility>

#include "common/csi/answers.h"
#include "csi-lvm/volumes/parameters.h"

namespace holdfast::lvm {
namespace {

void tell_error(const Error& error, LogicalVolumeStatus& status) {
  status.code = error.code;
  status.message = error.message;
}

void tell_success(LogicalVolumeStatus& status) {
  status.code.reset();
  status.message.clear();
}

Result<LocalVolume> make_volume(const LogicalVolumeSpec& spec, const WorkTools& tools) {
  VolumeRequest wanted;
  wanted.name = spec.name();
  wanted.required_bytes = spec.required_bytes;
  wanted.limit_bytes = spec.limit_bytes;
  wanted.block = spec.block;
  if (!spec.source.empty()) {
    wanted.source = ContentSource{.id = spec.source, .snapshot = spec.source_kind == VolumeKind::kSnapshot};
  }
  HOLDFAST_TRY(wanted.parameters, parse_parameters(spec.parameters, spec.block));
  return tools.volumes.create(wanted, tools.patience);
}

Result<LocalVolume> make_snapshot(const LogicalVolumeSpec& spec, const WorkTools& tools) {
  HOLDFAST_TRY(const SnapshotRoom room, parse_snapshot_parameters(spec.parameters));
  return tools.volumes.snapshot(spec.name(), spec.source, room, tools.patience);
}

bool may_be_left(const Error& error) { return csi::reaction_to(error.code) == csi::Reaction::kAskAgain; }

WorkOutcome make(const LogicalVolumeObject& object, const WorkTools& tools) {
  WorkOutcome out{.status = object.status, .changed_lvm = true};
  const Result<LocalVolume> made =
      object.is_snapshot() ? make_snapshot(object.spec, tools) : make_volume(object.spec, tools);
  if (!made) {
    tell_error(made.error(), out.status);
    out.again = may_be_left(made.error());
    if (!out.again) out.status.state = VolumeState::kRefused;
    return out;
  }
  tell_success(out.status);
  out.status.state = VolumeState::kReady;
  out.status.group = made->name.group;
  out.status.size_bytes = made->size_bytes;
  out.status.taken = made->taken;
  out.status.observed_generation = object.generation;
  return out;
}

WorkOutcome grow(const LogicalVolumeObject& object, const WorkTools& tools) {
  const LogicalVolumeSpec& spec = object.spec;
  WorkOutcome out{.status = object.status, .changed_lvm = true};
  const Result<std::uint64_t> size =
      tools.volumes.extend(spec.volume_name, spec.required_bytes, spec.limit_bytes, tools.patience);
  if (!size) {
    tell_error(size.error(), out.status);
    out.again = may_be_left(size.error());
    if (!out.again) out.status.observed_generation = object.generation;
    return out;
  }
  tell_success(out.status);
  out.status.size_bytes = *size;
  out.status.observed_generation = object.generation;
  return out;
}

WorkOutcome remove(const LogicalVolumeObject& object, const WorkTools& tools) {
  WorkOutcome out{.status = object.status, .changed_lvm = true};
  const std::string& name = object.spec.volume_name;
  const Status gone = object.is_snapshot() ? tools.volumes.remove_snapshot(name, tools.patience)
                                           : tools.volumes.remove(name, tools.patience);
  if (gone) {
    out.finalizer = FinalizerChange::kDrop;
    return out;
  }
  tell_error(gone.error(), out.status);
  out.status.observed_generation = object.generation;
  out.again = true;
  return out;
}

WorkOutcome keep(const LogicalVolumeObject& object) {
  WorkOutcome out{.status = object.status, .again = true};
  out.status.code = Code::kFailedPrecondition;
  out.status.observed_generation = object.generation;
  out.status.message =
      object.spec.reclaim
          ? "its volume group is not there: bring its disks back, or drop the object's finalizer"
          : "the volume was in use, and its object was deleted without a DeleteVolume: its data are kept "
            "until that comes, or until spec.reclaim is set to true";
  return out;
}

WorkOutcome decided(NodeStep step, const LogicalVolumeObject& object, const WorkTools& tools) {
  WorkOutcome out{.status = object.status};
  switch (step) {
    case NodeStep::kMake:
      return make(object, tools);
    case NodeStep::kGrow:
      return grow(object, tools);
    case NodeStep::kRemoveVolume:
      return remove(object, tools);
    case NodeStep::kKeep:
      return keep(object);
    case NodeStep::kAddFinalizer:
      out.finalizer = FinalizerChange::kAdd;
      return out;
    case NodeStep::kDropFinalizer:
      out.finalizer = FinalizerChange::kDrop;
      return out;
    case NodeStep::kNone:
    case NodeStep::kTellLost:
      break;
  }
  return out;
}

// "PoolFull: the thin pool ...". What was told before stands while the same ails it: each percent more in a
// pool would be written for each of its volumes.
std::string trouble_of(const std::vector<Ailment>& ailments, const std::string& before) {
  std::string reasons;
  std::string messages;
  for (const Ailment& each : ailments) {
    reasons.append(reasons.empty() ? "" : ", ").append(each.reason);
    messages.append(messages.empty() ? ": " : "; ").append(each.message);
  }
  return !reasons.empty() && before.starts_with(reasons + ":") ? before : reasons + messages;
}

}  // namespace

WorkOutcome work_on(const LogicalVolumeObject& object, const WorkTools& tools) {
  using Holds = csi::VolumeHolds;
  Holds::Held held;
  if (tools.holds != nullptr) {
    auto taken = tools.holds->hold(object.is_snapshot() ? Holds::Kind::kSnapshot : Holds::Kind::kVolume,
                                   object.spec.volume_name, "what its LogicalVolume asks for");
    if (!taken) return {.status = object.status, .again = true};
    held = *std::move(taken);
  }
  const bool is_new = !object.deleting && object.status.state == VolumeState::kPending;
  // LVM need not be asked, which would take longer than the making.
  if (is_new) return decided(decide_node(object, VolumeFacts{}), object, tools);
  Result<Inventory> inventory = tools.lvm.look(tools.patience);
  if (!inventory) {
    WorkOutcome out{.status = object.status, .again = true};
    tell_error(inventory.error(), out.status);
    return out;
  }
  const VolumeFacts facts = facts_of(object, *inventory, tools.cluster);
  tools.book.update(*std::move(inventory));
  return decided(decide_node(object, facts), object, tools);
}

LogicalVolumeStatus observe(const LogicalVolumeObject& object, const Inventory& inventory,
                            const PoolLimits& limits) {
  LogicalVolumeStatus status = object.status;
  if (status.state != VolumeState::kReady || object.deleting) return status;
  const VolumeGroup* group = inventory.group(status.group);
  const LogicalVolume* volume = group == nullptr ? nullptr : group->volume(object.spec.volume_name);
  status.abnormal = volume == nullptr
                        ? "LVM does not have it"
                        : trouble_of(ailments_of(*group, *volume, limits), object.status.abnormal);
  status.published =
      status.published || (!object.is_snapshot() && volume != nullptr && ever_published(*volume));
  return status;
}

bool has_work(const LogicalVolumeObject& object) {
  if (object.deleting) return object.has_finalizer();
  const bool grows = !object.is_snapshot() && object.spec.required_bytes > object.status.size_bytes &&
                     object.status.observed_generation != object.generation;
  const bool is_new = object.status.state == VolumeState::kPending && !object.spec.reclaim;
  return !object.has_finalizer() || is_new || (object.status.state == VolumeState::kReady && grows);
}

}  // namespace holdfast::lvm
