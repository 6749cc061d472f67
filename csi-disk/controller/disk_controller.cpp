#include "csi-disk/controller/disk_controller.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/csi/proto/csi.pb.h"
#include "csi-disk/controller/csi_messages.h"

namespace holdfast::disk {
namespace {

using Capability = csi::v1::ControllerServiceCapability::RPC;

constexpr const char* kConflictingZone = "ConflictingZone";

// As the backend can do it.
std::vector<Capability::Type> capabilities_of(const Abilities& abilities) {
  std::vector<Capability::Type> out{Capability::PUBLISH_UNPUBLISH_VOLUME,
                                    Capability::LIST_VOLUMES,
                                    Capability::LIST_VOLUMES_PUBLISHED_NODES,
                                    Capability::GET_VOLUME,
                                    Capability::VOLUME_CONDITION,
                                    Capability::SINGLE_NODE_MULTI_WRITER};
  const auto add = [&out](bool able, std::initializer_list<Capability::Type> types) {
    if (able) out.insert(out.end(), types);
  };
  add(abilities.create, {Capability::CREATE_DELETE_VOLUME, Capability::GET_CAPACITY});
  add(abilities.snapshots, {Capability::CREATE_DELETE_SNAPSHOT, Capability::LIST_SNAPSHOTS});
  add(abilities.create && abilities.snapshots, {Capability::CLONE_VOLUME});
  add(abilities.grow, {Capability::EXPAND_VOLUME});
  add(abilities.modify, {Capability::MODIFY_VOLUME});
  return out;
}

std::uint32_t count_of(std::int32_t most) { return static_cast<std::uint32_t>(std::max(most, 0)); }

void tell_status(const Disk& disk, google::protobuf::RepeatedPtrField<std::string>& nodes,
                 csi::v1::VolumeCondition& condition) {
  nodes.Assign(disk.nodes.begin(), disk.nodes.end());
  tell_condition(disk, condition);
}

void tell_health(const Disk& disk, csi::v1::VolumeHealth& into) {
  into.set_volume_id(disk.id);
  const std::string ailment = ailment_of(disk);
  if (ailment.empty()) return;
  auto& entry = *into.add_health_statuses();
  entry.set_status(csi::v1::INACCESSIBLE);
  entry.set_reason("Locked");
  entry.set_message(ailment);
}

}  // namespace

Status DiskController::capabilities(const csi::Call& /*call*/,
                                    const csi::v1::ControllerGetCapabilitiesRequest& /*request*/,
                                    csi::v1::ControllerGetCapabilitiesResponse& response) {
  for (const Capability::Type type : capabilities_of(volumes_.abilities()))
    response.add_capabilities()->mutable_rpc()->set_type(type);
  return {};
}

Status DiskController::create_volume(const csi::Call& call, const csi::v1::CreateVolumeRequest& request,
                                     csi::v1::CreateVolumeResponse& response) {
  HOLDFAST_TRY(const NewDisk wanted, read(request, volumes_.settings().cloud));
  const DiskSettings& settings = volumes_.settings();
  const std::string conflict = conflict_of(wanted.reached, settings.keys, wanted.of_class.zones);
  if (note_ && !conflict.empty()) {
    const auto told = [&request](const char* key) {
      const auto found = request.parameters().find(key);
      return found == request.parameters().end() ? std::string() : found->second;
    };
    note_({.event = kConflictingZone,
           .volume = wanted.name,
           .words = conflict,
           .claim = told("csi.storage.k8s.io/pvc/name"),
           .name_space = told("csi.storage.k8s.io/pvc/namespace")});
  }
  HOLDFAST_TRY(const Disk made, volumes_.maker().create(wanted, patience_of(call)));
  tell(made, volumes_.settings(), *response.mutable_volume());
  tell_new(wanted, *response.mutable_volume());
  return {};
}

Status DiskController::delete_volume(const csi::Call& call, const csi::v1::DeleteVolumeRequest& request,
                                     csi::v1::DeleteVolumeResponse& /*response*/) {
  return volumes_.remove(request.volume_id(), patience_of(call));
}

Status DiskController::publish_volume(const csi::Call& call,
                                      const csi::v1::ControllerPublishVolumeRequest& request,
                                      csi::v1::ControllerPublishVolumeResponse& response) {
  const bool shared = is_shared(request.volume_capability());
  HOLDFAST_TRY(const auto context, volumes_.attachments().attach(request.volume_id(), request.node_id(),
                                                                 shared, patience_of(call)));
  response.mutable_publish_context()->insert(context.begin(), context.end());
  return {};
}

Status DiskController::unpublish_volume(const csi::Call& call,
                                        const csi::v1::ControllerUnpublishVolumeRequest& request,
                                        csi::v1::ControllerUnpublishVolumeResponse& /*response*/) {
  return volumes_.attachments().detach(request.volume_id(), request.node_id(), patience_of(call));
}

Status DiskController::validate_capabilities(const csi::Call& call,
                                             const csi::v1::ValidateVolumeCapabilitiesRequest& request,
                                             csi::v1::ValidateVolumeCapabilitiesResponse& response) {
  HOLDFAST_TRY(const Disk disk, volumes_.get(request.volume_id(), patience_of(call)));
  for (const csi::v1::VolumeCapability& capability : request.volume_capabilities()) {
    if (const Status fits = check_capability(capability, disk.multi_attach); !fits) {
      response.set_message(fits.error().message);
      return {};
    }
  }
  csi::v1::ValidateVolumeCapabilitiesResponse::Confirmed& confirmed = *response.mutable_confirmed();
  *confirmed.mutable_volume_capabilities() = request.volume_capabilities();
  *confirmed.mutable_volume_context() = request.volume_context();
  *confirmed.mutable_parameters() = request.parameters();
  return {};
}

Status DiskController::list_volumes(const csi::Call& call, const csi::v1::ListVolumesRequest& request,
                                    csi::v1::ListVolumesResponse& response) {
  HOLDFAST_TRY(const Page<Disk> page,
               volumes_.list(request.starting_token(), count_of(request.max_entries()), patience_of(call)));
  for (const Disk& disk : page.items) {
    csi::v1::ListVolumesResponse::Entry& entry = *response.add_entries();
    tell(disk, volumes_.settings(), *entry.mutable_volume());
    tell_status(disk, *entry.mutable_status()->mutable_published_node_ids(),
                *entry.mutable_status()->mutable_volume_condition());
  }
  response.set_next_token(page.next);
  return {};
}

Status DiskController::list_volume_health(const csi::Call& call,
                                          const csi::v1::ControllerListVolumeHealthRequest& request,
                                          csi::v1::ControllerListVolumeHealthResponse& response) {
  HOLDFAST_TRY(const Page<Disk> page,
               volumes_.list(request.starting_token(), count_of(request.max_entries()), patience_of(call)));
  for (const Disk& disk : page.items) tell_health(disk, *response.add_entries());
  response.set_next_token(page.next);
  return {};
}

Status DiskController::volume_health(const csi::Call& call,
                                     const csi::v1::ControllerGetVolumeHealthRequest& request,
                                     csi::v1::ControllerGetVolumeHealthResponse& response) {
  HOLDFAST_TRY(const Disk disk, volumes_.get(request.volume_id(), patience_of(call)));
  tell_health(disk, *response.mutable_volume_health());
  return {};
}

// What a cloud has in stock it does not count: there is either one disk of the largest size, or none.
Status DiskController::capacity(const csi::Call& call, const csi::v1::GetCapacityRequest& request,
                                csi::v1::GetCapacityResponse& response) {
  const DiskSettings& settings = volumes_.settings();
  const Parameters parameters(request.parameters().begin(), request.parameters().end());
  HOLDFAST_TRY(const DiskClass of_class, parse_disk_class(parameters, settings.cloud));
  const auto& segments = request.accessible_topology().segments();
  const std::string place =
      place_in(Segments(segments.begin(), segments.end()), settings.keys).value_or(settings.place);
  const bool allowed = of_class.zones.empty() || place.empty() ||
                       std::ranges::find(of_class.zones, place) != of_class.zones.end();
  if (!allowed) return {};
  HOLDFAST_TRY(const std::optional<SizeRange> range, volumes_.on_sale(of_class, place, patience_of(call)));
  if (!range) return {};
  const auto bytes = [](std::uint64_t gib) { return static_cast<std::int64_t>(gib * kGiB); };
  response.set_available_capacity(bytes(range->most_gib));
  response.mutable_maximum_volume_size()->set_value(bytes(range->most_gib));
  response.mutable_minimum_volume_size()->set_value(bytes(range->least_gib));
  return {};
}

Status DiskController::create_snapshot(const csi::Call& call, const csi::v1::CreateSnapshotRequest& request,
                                       csi::v1::CreateSnapshotResponse& response) {
  HOLDFAST_TRY(const SnapshotClass of_class,
               parse_snapshot_class({request.parameters().begin(), request.parameters().end()}));
  HOLDFAST_TRY(const Snapshot taken, volumes_.snapshots().take(request.name(), request.source_volume_id(),
                                                               of_class, patience_of(call)));
  tell(taken, *response.mutable_snapshot());
  return {};
}

Status DiskController::delete_snapshot(const csi::Call& call, const csi::v1::DeleteSnapshotRequest& request,
                                       csi::v1::DeleteSnapshotResponse& /*response*/) {
  return volumes_.snapshots().remove(request.snapshot_id(), patience_of(call));
}

Status DiskController::list_snapshots(const csi::Call& call, const csi::v1::ListSnapshotsRequest& request,
                                      csi::v1::ListSnapshotsResponse& response) {
  if (!request.snapshot_id().empty()) {
    HOLDFAST_TRY(const std::optional<Snapshot> found,
                 volumes_.find_snapshot(request.snapshot_id(), patience_of(call)));
    const bool other =
        found && !request.source_volume_id().empty() && found->disk != request.source_volume_id();
    if (found && !other) tell(*found, *response.add_entries()->mutable_snapshot());
    return {};
  }
  if (!request.source_volume_id().empty() && !volumes_.is_disk_id(request.source_volume_id())) return {};
  HOLDFAST_TRY(const Page<Snapshot> page,
               volumes_.list_snapshots(request.source_volume_id(), request.starting_token(),
                                       count_of(request.max_entries()), patience_of(call)));
  for (const Snapshot& each : page.items) tell(each, *response.add_entries()->mutable_snapshot());
  response.set_next_token(page.next);
  return {};
}

Status DiskController::snapshot(const csi::Call& call, const csi::v1::GetSnapshotRequest& request,
                                csi::v1::GetSnapshotResponse& response) {
  HOLDFAST_TRY(const std::optional<Snapshot> found,
               volumes_.find_snapshot(request.snapshot_id(), patience_of(call)));
  if (!found) return fail(Code::kNotFound, "there is no snapshot " + request.snapshot_id());
  tell(*found, *response.mutable_snapshot());
  return {};
}

// The node looks whether its device has grown, a raw one's too: some have to be told to look again.
Status DiskController::expand_volume(const csi::Call& call,
                                     const csi::v1::ControllerExpandVolumeRequest& request,
                                     csi::v1::ControllerExpandVolumeResponse& response) {
  HOLDFAST_TRY(const std::uint64_t gib,
               volumes_.expand(request.volume_id(), size_of(request.capacity_range()), patience_of(call)));
  response.set_capacity_bytes(static_cast<std::int64_t>(gib * kGiB));
  response.set_node_expansion_required(true);
  return {};
}

Status DiskController::volume(const csi::Call& call, const csi::v1::ControllerGetVolumeRequest& request,
                              csi::v1::ControllerGetVolumeResponse& response) {
  HOLDFAST_TRY(const Disk disk, volumes_.get(request.volume_id(), patience_of(call)));
  tell(disk, volumes_.settings(), *response.mutable_volume());
  tell_status(disk, *response.mutable_status()->mutable_published_node_ids(),
              *response.mutable_status()->mutable_volume_condition());
  return {};
}

Status DiskController::modify_volume(const csi::Call& call,
                                     const csi::v1::ControllerModifyVolumeRequest& request,
                                     csi::v1::ControllerModifyVolumeResponse& /*response*/) {
  return volumes_.modify(request.volume_id(),
                         {request.mutable_parameters().begin(), request.mutable_parameters().end()},
                         patience_of(call));
}

}  // namespace holdfast::disk
