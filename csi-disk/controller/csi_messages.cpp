#include "csi-disk/controller/csi_messages.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/csi/proto/csi.pb.h"
#include "csi-disk/volumes/file_systems.h"
#include "csi-disk/volumes/node_attributes.h"

namespace holdfast::disk {
namespace {

using AccessMode = csi::v1::VolumeCapability::AccessMode;

std::uint64_t bytes(std::int64_t count) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0));
}

template <class Topologies>
std::vector<Segments> segments_of(const Topologies& topologies) {
  std::vector<Segments> out;
  for (const csi::v1::Topology& each : topologies)
    out.emplace_back(each.segments().begin(), each.segments().end());
  return out;
}

void override_class(const DiskChange& change, DiskClass& into) {
  const Performance& performance = change.performance;
  if (!performance.type.empty()) into.types = {performance.type};
  if (!performance.level.empty()) into.levels = {performance.level};
  if (performance.iops) into.iops = performance.iops;
  if (performance.bursting) into.bursting = performance.bursting;
  for (const auto& [key, value] : change.set) into.tags[key] = value;
  for (const std::string& key : change.unset) into.tags.erase(key);
}

}  // namespace

Patience patience_of(const csi::Call& call) {
  constexpr Patience kLongest = std::chrono::minutes(5);
  return std::min(kLongest, std::chrono::duration_cast<Patience>(call.time_left()));
}

bool is_shared(const csi::v1::VolumeCapability& capability) {
  const AccessMode::Mode mode = capability.access_mode().mode();
  return mode == AccessMode::MULTI_NODE_READER_ONLY || mode == AccessMode::MULTI_NODE_SINGLE_WRITER ||
         mode == AccessMode::MULTI_NODE_MULTI_WRITER;
}

Status check_capability(const csi::v1::VolumeCapability& capability, bool multi_attach) {
  const AccessMode::Mode mode = capability.access_mode().mode();
  if (is_shared(capability) && !multi_attach) {
    return fail(Code::kInvalidArgument, "a disk is for one node; the access mode " +
                                            AccessMode::Mode_Name(mode) +
                                            " needs multiAttach in the StorageClass");
  }
  if (is_shared(capability) && mode != AccessMode::MULTI_NODE_READER_ONLY && !capability.has_block()) {
    return fail(Code::kInvalidArgument, "a file system is written by one node; the access mode " +
                                            AccessMode::Mode_Name(mode) + " needs volumeMode Block");
  }
  return capability.has_mount() ? check_file_system(capability.mount().fs_type()) : Status{};
}

SizeWish size_of(const csi::v1::CapacityRange& range) {
  return {.required_bytes = bytes(range.required_bytes()), .limit_bytes = bytes(range.limit_bytes())};
}

Accessibility accessibility_of(const csi::v1::TopologyRequirement& wanted) {
  return {.preferred = segments_of(wanted.preferred()), .requisite = segments_of(wanted.requisite())};
}

Result<NewDisk> read(const csi::v1::CreateVolumeRequest& request, const DiskCloud& cloud) {
  NewDisk wanted{.name = request.name()};
  HOLDFAST_TRY(wanted.of_class,
               parse_disk_class({request.parameters().begin(), request.parameters().end()}, cloud));
  const Parameters changes(request.mutable_parameters().begin(), request.mutable_parameters().end());
  HOLDFAST_TRY(const DiskChange change, parse_disk_change(changes, cloud));
  override_class(change, wanted.of_class);
  for (const csi::v1::VolumeCapability& capability : request.volume_capabilities()) {
    HOLDFAST_CHECK(check_capability(capability, wanted.of_class.multi_attach));
    const std::string& fs_type = capability.mount().fs_type();
    if (!fs_type.empty()) wanted.of_class.for_node["fsType"] = fs_type;
  }
  HOLDFAST_CHECK(check_for_node(wanted.of_class.for_node));
  wanted.size = size_of(request.capacity_range());
  wanted.size.round_up_small = wanted.of_class.round_up_small;
  wanted.reached = accessibility_of(request.accessibility_requirements());
  if (!request.has_volume_content_source()) return wanted;
  const csi::v1::VolumeContentSource& source = request.volume_content_source();
  if (!source.has_snapshot() && !source.has_volume())
    return fail(Code::kInvalidArgument, "the volume_content_source is neither a snapshot nor a volume");
  wanted.source =
      DiskSource{.id = source.has_snapshot() ? source.snapshot().snapshot_id() : source.volume().volume_id(),
                 .snapshot = source.has_snapshot()};
  return wanted;
}

void tell(const Disk& disk, const DiskSettings& settings, csi::v1::Volume& into) {
  into.set_volume_id(disk.id);
  into.set_capacity_bytes(static_cast<std::int64_t>(disk.gib * kGiB));
  auto& context = *into.mutable_volume_context();
  if (!disk.performance.type.empty()) context["type"] = disk.performance.type;
  if (!disk.performance.level.empty()) context["performanceLevel"] = disk.performance.level;
  const bool in_place = !disk.zone.empty() && !settings.keys.place.empty();
  const std::string& key = in_place ? settings.keys.place : settings.keys.region;
  const std::string& value = in_place ? disk.zone : settings.region;
  if (!key.empty() && !value.empty()) (*into.add_accessible_topology()->mutable_segments())[key] = value;
}

void tell_new(const NewDisk& wanted, csi::v1::Volume& into) {
  for (const auto& [name, value] : wanted.of_class.for_node) (*into.mutable_volume_context())[name] = value;
  if (!wanted.source) return;
  csi::v1::VolumeContentSource& source = *into.mutable_content_source();
  if (wanted.source->snapshot) {
    source.mutable_snapshot()->set_snapshot_id(wanted.source->id);
  } else {
    source.mutable_volume()->set_volume_id(wanted.source->id);
  }
}

void tell(const Snapshot& snapshot, csi::v1::Snapshot& into) {
  into.set_snapshot_id(snapshot.id);
  into.set_source_volume_id(snapshot.disk);
  into.set_size_bytes(static_cast<std::int64_t>(snapshot.gib * kGiB));
  into.mutable_creation_time()->set_seconds(snapshot.cut.time_since_epoch().count());
  into.set_ready_to_use(snapshot.ready);
}

std::string ailment_of(const Disk& disk) {
  if (!disk.locked) return {};
  return "the account is in arrears: the disk and what is on it are kept, and cannot be used until it is "
         "paid";
}

void tell_condition(const Disk& disk, csi::v1::VolumeCondition& into) {
  const std::string ailment = ailment_of(disk);
  into.set_abnormal(!ailment.empty());
  into.set_message(ailment.empty() ? "nothing is known to be wrong" : ailment);
}

}  // namespace holdfast::disk
