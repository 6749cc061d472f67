#include "csi-disk/backend/plugin/plugin_wire.h"

#include <algorithm>
#include <array>
#include <utility>

namespace holdfast::disk {
namespace {

using cloud::CallEnd;

constexpr std::array kEnds{
    std::pair{CallEnd::kRefused, v1::Failure::REFUSED},
    std::pair{CallEnd::kThrottled, v1::Failure::THROTTLED},
    std::pair{CallEnd::kNoSuchThing, v1::Failure::NO_SUCH_THING},
    std::pair{CallEnd::kUnknownOutcome, v1::Failure::UNKNOWN_OUTCOME},
    std::pair{CallEnd::kNotSent, v1::Failure::NOT_SENT},
};
constexpr std::array kStates{
    std::pair{DiskState::kOther, v1::Disk::OTHER},
    std::pair{DiskState::kCreating, v1::Disk::CREATING},
    std::pair{DiskState::kAvailable, v1::Disk::AVAILABLE},
    std::pair{DiskState::kAttaching, v1::Disk::ATTACHING},
    std::pair{DiskState::kInUse, v1::Disk::IN_USE},
    std::pair{DiskState::kDetaching, v1::Disk::DETACHING},
};

void put_tags(const Tags& tags, google::protobuf::Map<std::string, std::string>& into) {
  for (const auto& [key, value] : tags) into[key] = value;
}
Tags tags_of(const google::protobuf::Map<std::string, std::string>& from) {
  return {from.begin(), from.end()};
}

}  // namespace

v1::Failure to_wire(const cloud::CallError& error) {
  v1::Failure out;
  const auto* const end = std::ranges::find(kEnds, error.end, [](const auto& each) { return each.first; });
  out.set_end(end->second);
  out.set_code(error.code);
  out.set_message(error.message);
  if (error.retry_after) out.set_retry_after_seconds(error.retry_after->count());
  return out;
}

cloud::CallError from_wire(const v1::Failure& failure) {
  constexpr std::int64_t kLongest = 3600;
  cloud::CallError out{.end = CallEnd::kUnknownOutcome, .code = failure.code(), .message = failure.message()};
  const auto* const end =
      std::ranges::find(kEnds, failure.end(), [](const auto& each) { return each.second; });
  if (end != kEnds.end()) out.end = end->first;
  if (failure.retry_after_seconds() > 0) {
    out.retry_after = std::chrono::seconds(std::min(kLongest, failure.retry_after_seconds()));
  }
  return out;
}

v1::Performance to_wire(const Performance& performance) {
  v1::Performance out;
  out.set_type(performance.type);
  out.set_level(performance.level);
  if (performance.iops) out.set_iops(*performance.iops);
  if (performance.bursting) out.set_bursting(*performance.bursting);
  return out;
}

Performance from_wire(const v1::Performance& performance) {
  Performance out{.type = performance.type(), .level = performance.level()};
  if (performance.has_iops()) out.iops = performance.iops();
  if (performance.has_bursting()) out.bursting = performance.bursting();
  return out;
}

v1::DiskSpec to_wire(const DiskSpec& spec) {
  v1::DiskSpec out;
  out.set_name(spec.name);
  out.set_gib(spec.gib);
  *out.mutable_performance() = to_wire(spec.performance);
  out.set_zone(spec.zone);
  out.set_snapshot(spec.snapshot);
  out.set_encrypted(spec.encrypted);
  out.set_key(spec.key);
  out.set_multi_attach(spec.multi_attach);
  out.set_resource_group(spec.resource_group);
  out.set_storage_cluster(spec.storage_cluster);
  out.set_hpn_zone(spec.hpn_zone);
  out.set_role(spec.role);
  put_tags(spec.tags, *out.mutable_tags());
  return out;
}

DiskSpec from_wire(const v1::DiskSpec& spec) {
  return {.name = spec.name(),
          .gib = spec.gib(),
          .performance = from_wire(spec.performance()),
          .zone = spec.zone(),
          .snapshot = spec.snapshot(),
          .encrypted = spec.encrypted(),
          .key = spec.key(),
          .multi_attach = spec.multi_attach(),
          .resource_group = spec.resource_group(),
          .storage_cluster = spec.storage_cluster(),
          .hpn_zone = spec.hpn_zone(),
          .role = spec.role(),
          .tags = tags_of(spec.tags())};
}

v1::Disk to_wire(const Disk& disk) {
  v1::Disk out;
  out.set_id(disk.id);
  out.set_name(disk.name);
  out.set_gib(disk.gib);
  *out.mutable_performance() = to_wire(disk.performance);
  out.set_zone(disk.zone);
  const auto* const state =
      std::ranges::find(kStates, disk.state, [](const auto& each) { return each.first; });
  out.set_state(state->second);
  for (const std::string& node : disk.nodes) out.add_nodes(node);
  out.set_serial(disk.serial);
  out.set_snapshot(disk.snapshot);
  out.set_encrypted(disk.encrypted);
  out.set_multi_attach(disk.multi_attach);
  out.set_locked(disk.locked);
  put_tags(disk.tags, *out.mutable_tags());
  return out;
}

Disk from_wire(const v1::Disk& disk) {
  Disk out{.id = disk.id(),
           .name = disk.name(),
           .gib = disk.gib(),
           .performance = from_wire(disk.performance()),
           .zone = disk.zone(),
           .state = DiskState::kOther,
           .nodes = {disk.nodes().begin(), disk.nodes().end()},
           .serial = disk.serial(),
           .snapshot = disk.snapshot(),
           .encrypted = disk.encrypted(),
           .multi_attach = disk.multi_attach(),
           .locked = disk.locked(),
           .tags = tags_of(disk.tags())};
  const auto* const state =
      std::ranges::find(kStates, disk.state(), [](const auto& each) { return each.second; });
  if (state != kStates.end()) out.state = state->first;
  return out;
}

v1::SnapshotSpec to_wire(const SnapshotSpec& spec) {
  v1::SnapshotSpec out;
  out.set_name(spec.name);
  out.set_disk(spec.disk);
  if (spec.keep_days) out.set_keep_days(*spec.keep_days);
  out.set_resource_group(spec.resource_group);
  put_tags(spec.tags, *out.mutable_tags());
  return out;
}

SnapshotSpec from_wire(const v1::SnapshotSpec& spec) {
  SnapshotSpec out{.name = spec.name(),
                   .disk = spec.disk(),
                   .resource_group = spec.resource_group(),
                   .tags = tags_of(spec.tags())};
  if (spec.has_keep_days()) out.keep_days = spec.keep_days();
  return out;
}

v1::Snapshot to_wire(const Snapshot& snapshot) {
  v1::Snapshot out;
  out.set_id(snapshot.id);
  out.set_name(snapshot.name);
  out.set_disk(snapshot.disk);
  out.set_gib(snapshot.gib);
  out.set_cut_seconds(snapshot.cut.time_since_epoch().count());
  out.set_ready(snapshot.ready);
  out.set_failed(snapshot.failed);
  put_tags(snapshot.tags, *out.mutable_tags());
  return out;
}

Snapshot from_wire(const v1::Snapshot& snapshot) {
  return {.id = snapshot.id(),
          .name = snapshot.name(),
          .disk = snapshot.disk(),
          .gib = snapshot.gib(),
          .cut = std::chrono::sys_seconds(std::chrono::seconds(snapshot.cut_seconds())),
          .ready = snapshot.ready(),
          .failed = snapshot.failed(),
          .tags = tags_of(snapshot.tags())};
}

}  // namespace holdfast::disk
