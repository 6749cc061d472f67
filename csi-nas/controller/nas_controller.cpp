#include "csi-nas/controller/nas_controller.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "common/csi/proto/csi.pb.h"
#include "common/kube/names.h"
#include "csi-nas/controller/record_ids.h"

namespace holdfast::nas {
namespace {

using Capability = csi::v1::ControllerServiceCapability::RPC;
constexpr Capability::Type kCapabilities[] = {
    Capability::CREATE_DELETE_VOLUME, Capability::LIST_VOLUMES,     Capability::CREATE_DELETE_SNAPSHOT,
    Capability::LIST_SNAPSHOTS,       Capability::CLONE_VOLUME,     Capability::EXPAND_VOLUME,
    Capability::GET_VOLUME,           Capability::VOLUME_CONDITION, Capability::SINGLE_NODE_MULTI_WRITER};
constexpr std::string_view kTokenPrefix = "after:";

std::uint64_t bytes(std::int64_t count) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0));
}

NasVolumes::Patience patience_of(const csi::Call& call) {
  constexpr NasVolumes::Patience kLongest = NasVolumes::kAccessPatience + NasVolumes::kWorkPatience;
  return std::min(kLongest, std::chrono::duration_cast<NasVolumes::Patience>(call.time_left()));
}

// All access modes are those of NFS.
Status check_capability(const csi::v1::VolumeCapability& capability) {
  if (capability.has_block()) {
    return fail(Code::kInvalidArgument, "an NFS volume is no block device: use volumeMode Filesystem");
  }
  const std::string& fs_type = capability.mount().fs_type();
  if (fs_type.empty() || fs_type == "nfs" || fs_type == "nfs4") return {};
  return fail(Code::kInvalidArgument, "the file system '" + fs_type + "' is not supported: leave it out");
}

// In which node pools pods are to reach it; nullopt where that does not matter.
std::optional<std::set<std::string>> pools_of(const csi::v1::TopologyRequirement& wanted) {
  std::optional<std::set<std::string>> pools;
  for (const csi::v1::Topology& place : wanted.requisite()) {
    const auto pool = place.segments().find(kube::kNodePoolLabel);
    if (pool == place.segments().end()) continue;
    if (!pools) pools.emplace();
    pools->insert(pool->second);
  }
  return pools;
}

Result<NewVolume> read(const csi::v1::CreateVolumeRequest& request) {
  NewVolume wanted{.name = request.name(),
                   .required_bytes = bytes(request.capacity_range().required_bytes()),
                   .limit_bytes = bytes(request.capacity_range().limit_bytes()),
                   .parameters = {request.parameters().begin(), request.parameters().end()}};
  for (const csi::v1::VolumeCapability& capability : request.volume_capabilities()) {
    HOLDFAST_CHECK(check_capability(capability));
    const auto& flags = capability.mount().mount_flags();
    wanted.mount_options.assign(flags.begin(), flags.end());
  }
  wanted.pools = pools_of(request.accessibility_requirements());
  if (!request.has_volume_content_source()) return wanted;
  const csi::v1::VolumeContentSource& source = request.volume_content_source();
  if (!source.has_snapshot() && !source.has_volume()) {
    return fail(Code::kInvalidArgument, "the volume_content_source is neither a snapshot nor a volume");
  }
  const bool snapshot = source.has_snapshot();
  wanted.source = NasSourceVolume{
      .id = snapshot ? source.snapshot().snapshot_id() : source.volume().volume_id(), .snapshot = snapshot};
  return wanted;
}

Status tell(const NasRecord& record, csi::v1::Volume& into) {
  into.set_volume_id(record.id);
  into.set_capacity_bytes(static_cast<std::int64_t>(record.bytes));
  HOLDFAST_TRY(const NasAttributes context, volume_context(record));
  into.mutable_volume_context()->insert(context.begin(), context.end());
  if (!record.site.empty()) {
    (*into.add_accessible_topology()->mutable_segments())[kube::kNodePoolLabel] = record.site;
  }
  if (record.source.empty()) return {};
  csi::v1::VolumeContentSource& source = *into.mutable_content_source();
  if (record.of_snapshot) {
    source.mutable_snapshot()->set_snapshot_id(record.source);
  } else {
    source.mutable_volume()->set_volume_id(record.source);
  }
  return {};
}

void tell(const NasRecord& record, csi::v1::Snapshot& into) {
  into.set_snapshot_id(record.id);
  into.set_source_volume_id(record.source);
  into.set_size_bytes(static_cast<std::int64_t>(record.bytes));
  into.mutable_creation_time()->set_seconds(record.made);
  into.set_ready_to_use(record.ready);
}

void tell_condition(const std::string& ailment, csi::v1::VolumeCondition& into) {
  into.set_abnormal(!ailment.empty());
  into.set_message(ailment.empty() ? "nothing is known to be wrong" : ailment);
}

// One page of records in the order of their ids; a token names the last of the page before.
Result<std::vector<NasRecord>> take_page(std::vector<NasRecord> all, std::int32_t most,
                                         const std::string& token, std::string& next_token) {
  if (!token.empty() && !token.starts_with(kTokenPrefix)) {
    return fail(Code::kAborted, "the starting_token '" + token + "' is not one that was given out");
  }
  const std::string last = token.empty() ? "" : token.substr(kTokenPrefix.size());
  std::erase_if(all, [&](const NasRecord& each) { return !token.empty() && each.id <= last; });
  const auto room = static_cast<std::size_t>(std::max(most, 0));
  if (room > 0 && all.size() > room) {
    all.resize(room);
    next_token = std::string(kTokenPrefix) + all.back().id;
  }
  return all;
}

}  // namespace

Status NasController::capabilities(const csi::Call& /*call*/,
                                   const csi::v1::ControllerGetCapabilitiesRequest& /*request*/,
                                   csi::v1::ControllerGetCapabilitiesResponse& response) {
  for (const Capability::Type type : kCapabilities) {
    response.add_capabilities()->mutable_rpc()->set_type(type);
  }
  return {};
}

Status NasController::create_volume(const csi::Call& call, const csi::v1::CreateVolumeRequest& request,
                                    csi::v1::CreateVolumeResponse& response) {
  HOLDFAST_TRY(const NewVolume wanted, read(request));
  HOLDFAST_TRY(const NasRecord made, volumes_.create(wanted, patience_of(call)));
  return tell(made, *response.mutable_volume());
}

Status NasController::delete_volume(const csi::Call& call, const csi::v1::DeleteVolumeRequest& request,
                                    csi::v1::DeleteVolumeResponse& /*response*/) {
  return volumes_.remove(request.volume_id(), patience_of(call));
}

Status NasController::validate_capabilities(const csi::Call& /*call*/,
                                            const csi::v1::ValidateVolumeCapabilitiesRequest& request,
                                            csi::v1::ValidateVolumeCapabilitiesResponse& response) {
  HOLDFAST_CHECK(volumes_.find(request.volume_id()));
  for (const csi::v1::VolumeCapability& capability : request.volume_capabilities()) {
    if (const Status fits = check_capability(capability); !fits) {
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

Status NasController::list_volumes(const csi::Call& /*call*/, const csi::v1::ListVolumesRequest& request,
                                   csi::v1::ListVolumesResponse& response) {
  HOLDFAST_CHECK(volumes_.is_known());
  std::string next_token;
  HOLDFAST_TRY(const std::vector<NasRecord> page,
               take_page(volumes_.list(false), request.max_entries(), request.starting_token(), next_token));
  for (const NasRecord& record : page) {
    csi::v1::ListVolumesResponse::Entry& entry = *response.add_entries();
    HOLDFAST_CHECK(tell(record, *entry.mutable_volume()));
    tell_condition(volumes_.ailment_of(record), *entry.mutable_status()->mutable_volume_condition());
  }
  response.set_next_token(next_token);
  return {};
}

Status NasController::create_snapshot(const csi::Call& call, const csi::v1::CreateSnapshotRequest& request,
                                      csi::v1::CreateSnapshotResponse& response) {
  HOLDFAST_TRY(const NasRecord taken,
               volumes_.snapshot(request.name(), request.source_volume_id(), patience_of(call)));
  tell(taken, *response.mutable_snapshot());
  return {};
}

Status NasController::delete_snapshot(const csi::Call& call, const csi::v1::DeleteSnapshotRequest& request,
                                      csi::v1::DeleteSnapshotResponse& /*response*/) {
  return volumes_.remove_snapshot(request.snapshot_id(), patience_of(call));
}

Status NasController::list_snapshots(const csi::Call& /*call*/, const csi::v1::ListSnapshotsRequest& request,
                                     csi::v1::ListSnapshotsResponse& response) {
  HOLDFAST_CHECK(volumes_.is_known());
  std::vector<NasRecord> all = volumes_.list(true);
  std::erase_if(all, [&request](const NasRecord& each) {
    const bool other = !request.snapshot_id().empty() && each.id != request.snapshot_id();
    return other || (!request.source_volume_id().empty() && each.source != request.source_volume_id());
  });
  std::string next_token;
  HOLDFAST_TRY(const std::vector<NasRecord> page,
               take_page(std::move(all), request.max_entries(), request.starting_token(), next_token));
  for (const NasRecord& record : page) tell(record, *response.add_entries()->mutable_snapshot());
  response.set_next_token(next_token);
  return {};
}

Status NasController::expand_volume(const csi::Call& /*call*/,
                                    const csi::v1::ControllerExpandVolumeRequest& request,
                                    csi::v1::ControllerExpandVolumeResponse& response) {
  const csi::v1::CapacityRange& range = request.capacity_range();
  HOLDFAST_TRY(const std::uint64_t size, volumes_.extend(request.volume_id(), bytes(range.required_bytes()),
                                                         bytes(range.limit_bytes())));
  response.set_capacity_bytes(static_cast<std::int64_t>(size));
  response.set_node_expansion_required(false);
  return {};
}

Status NasController::volume(const csi::Call& /*call*/, const csi::v1::ControllerGetVolumeRequest& request,
                             csi::v1::ControllerGetVolumeResponse& response) {
  HOLDFAST_TRY(const NasRecord found, volumes_.find(request.volume_id()));
  HOLDFAST_CHECK(tell(found, *response.mutable_volume()));
  tell_condition(volumes_.ailment_of(found), *response.mutable_status()->mutable_volume_condition());
  return {};
}

}  // namespace holdfast::nas
