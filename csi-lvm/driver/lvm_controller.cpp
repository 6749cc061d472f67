#include "csi-lvm/driver/lvm_controller.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "common/csi/proto/csi.pb.h"
#include "csi-lvm/driver/csi_requests.h"
#include "csi-lvm/lvm/lvm_command.h"

namespace holdfast::lvm {
namespace {

using Capability = csi::v1::ControllerServiceCapability::RPC;
constexpr Capability::Type kCapabilities[] = {
    Capability::CREATE_DELETE_VOLUME, Capability::LIST_VOLUMES,
    Capability::GET_CAPACITY,         Capability::CREATE_DELETE_SNAPSHOT,
    Capability::LIST_SNAPSHOTS,       Capability::EXPAND_VOLUME,
    Capability::GET_VOLUME,           Capability::SINGLE_NODE_MULTI_WRITER};

template <class Map>
std::map<std::string, std::string> to_map(const Map& map) {
  return {map.begin(), map.end()};
}

std::uint64_t bytes(std::int64_t count) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0));
}

// The parameters of a volume that all its capabilities agree with.
Result<VolumeRequest> read(const csi::v1::CreateVolumeRequest& request) {
  VolumeRequest wanted;
  wanted.name = request.name();
  wanted.required_bytes = bytes(request.capacity_range().required_bytes());
  wanted.limit_bytes = bytes(request.capacity_range().limit_bytes());
  std::map<std::string, std::string> parameters = to_map(request.parameters());
  for (const csi::v1::VolumeCapability& capability : request.volume_capabilities()) {
    HOLDFAST_CHECK(check_capability(capability));
    wanted.block = wanted.block || capability.has_block();
    if (!capability.mount().fs_type().empty()) parameters["fsType"] = capability.mount().fs_type();
  }
  HOLDFAST_TRY(wanted.parameters, parse_parameters(parameters, wanted.block));
  return wanted;
}

bool is_snapshot(const LocalVolume& volume) { return volume.taken != 0; }

}  // namespace

LvmController::LvmController(LocalVolumes& volumes, const CapacityBook& book, std::string topology_key,
                             std::string node)
    : volumes_(volumes), book_(book), topology_key_(std::move(topology_key)), node_(std::move(node)) {}

Status LvmController::capabilities(const csi::Call& /*call*/,
                                   const csi::v1::ControllerGetCapabilitiesRequest& /*request*/,
                                   csi::v1::ControllerGetCapabilitiesResponse& response) {
  for (const Capability::Type type : kCapabilities)
    response.add_capabilities()->mutable_rpc()->set_type(type);
  return {};
}

Status LvmController::create_volume(const csi::Call& call, const csi::v1::CreateVolumeRequest& request,
                                    csi::v1::CreateVolumeResponse& response) {
  HOLDFAST_TRY(const VolumeRequest wanted, read(request));
  if (request.has_volume_content_source()) {
    return fail(Code::kInvalidArgument, "csi-lvm makes no volume from a snapshot or another volume");
  }
  HOLDFAST_CHECK(check_topology(request.accessibility_requirements(), topology_key_, node_));
  HOLDFAST_TRY(const LocalVolume made, volumes_.create(wanted, patience_of(call)));
  csi::v1::Volume& volume = *response.mutable_volume();
  tell(made, topology_key_, node_, volume);
  const auto options = request.parameters().find("mkfsOptions");
  if (options != request.parameters().end())
    (*volume.mutable_volume_context())["mkfsOptions"] = options->second;
  return {};
}

Status LvmController::delete_volume(const csi::Call& call, const csi::v1::DeleteVolumeRequest& request,
                                    csi::v1::DeleteVolumeResponse& /*response*/) {
  if (!check_name(request.volume_id())) return {};  // no volume has such a name
  return volumes_.remove(request.volume_id(), patience_of(call));
}

Status LvmController::validate_capabilities(const csi::Call& call,
                                            const csi::v1::ValidateVolumeCapabilitiesRequest& request,
                                            csi::v1::ValidateVolumeCapabilitiesResponse& response) {
  HOLDFAST_CHECK(volumes_.find(request.volume_id(), patience_of(call)));
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

Status LvmController::list_volumes(const csi::Call& call, const csi::v1::ListVolumesRequest& request,
                                   csi::v1::ListVolumesResponse& response) {
  HOLDFAST_TRY(std::vector<LocalVolume> all, volumes_.list(patience_of(call)));
  std::erase_if(all, is_snapshot);
  HOLDFAST_TRY(const Page page, page_of(all, request.max_entries(), request.starting_token()));
  for (std::size_t i = page.begin; i < page.end; ++i) {
    tell(all[i], topology_key_, node_, *response.add_entries()->mutable_volume());
  }
  response.set_next_token(page.next_token);
  return {};
}

Status LvmController::capacity(const csi::Call& /*call*/, const csi::v1::GetCapacityRequest& request,
                               csi::v1::GetCapacityResponse& response) {
  const auto& place = request.accessible_topology().segments();
  const auto node = place.find(topology_key_);
  if (node != place.end() && node->second != node_) return {};  // nothing of ours is there
  Capacity capacity;
  if (request.parameters().empty()) {
    capacity.available_bytes = book_.available_bytes();
  } else {
    HOLDFAST_TRY(const Parameters parameters, parse_parameters(to_map(request.parameters()), false));
    HOLDFAST_TRY(capacity, book_.capacity(parameters.group, parameters.stripes, parameters.pool));
    response.mutable_maximum_volume_size()->set_value(static_cast<std::int64_t>(capacity.largest_bytes));
    response.mutable_minimum_volume_size()->set_value(static_cast<std::int64_t>(capacity.smallest_bytes));
  }
  response.set_available_capacity(static_cast<std::int64_t>(capacity.available_bytes));
  return {};
}

Status LvmController::create_snapshot(const csi::Call& call, const csi::v1::CreateSnapshotRequest& request,
                                      csi::v1::CreateSnapshotResponse& response) {
  HOLDFAST_TRY(const SnapshotRoom room, parse_snapshot_parameters(to_map(request.parameters())));
  HOLDFAST_TRY(const LocalVolume taken,
               volumes_.snapshot(request.name(), request.source_volume_id(), room, patience_of(call)));
  tell(taken, *response.mutable_snapshot());
  return {};
}

Status LvmController::delete_snapshot(const csi::Call& call, const csi::v1::DeleteSnapshotRequest& request,
                                      csi::v1::DeleteSnapshotResponse& /*response*/) {
  if (!check_name(request.snapshot_id())) return {};
  const auto found = volumes_.find(request.snapshot_id(), patience_of(call));
  if (found && !is_snapshot(*found)) {
    return fail(Code::kInvalidArgument, request.snapshot_id() + " is a volume, not a snapshot");
  }
  return volumes_.remove(request.snapshot_id(), patience_of(call));
}

Status LvmController::list_snapshots(const csi::Call& call, const csi::v1::ListSnapshotsRequest& request,
                                     csi::v1::ListSnapshotsResponse& response) {
  HOLDFAST_TRY(std::vector<LocalVolume> all, volumes_.list(patience_of(call)));
  std::erase_if(all, [&request](const LocalVolume& each) {
    const bool other = !request.snapshot_id().empty() && each.name.volume != request.snapshot_id();
    const bool of_other = !request.source_volume_id().empty() && each.source != request.source_volume_id();
    return !is_snapshot(each) || other || of_other;
  });
  HOLDFAST_TRY(const Page page, page_of(all, request.max_entries(), request.starting_token()));
  for (std::size_t i = page.begin; i < page.end; ++i)
    tell(all[i], *response.add_entries()->mutable_snapshot());
  response.set_next_token(page.next_token);
  return {};
}

Status LvmController::expand_volume(const csi::Call& call,
                                    const csi::v1::ControllerExpandVolumeRequest& request,
                                    csi::v1::ControllerExpandVolumeResponse& response) {
  if (!check_name(request.volume_id()))
    return fail(Code::kNotFound, "there is no volume " + request.volume_id());
  const csi::v1::CapacityRange& range = request.capacity_range();
  HOLDFAST_TRY(const std::uint64_t size, volumes_.extend(request.volume_id(), bytes(range.required_bytes()),
                                                         bytes(range.limit_bytes()), patience_of(call)));
  response.set_capacity_bytes(static_cast<std::int64_t>(size));
  response.set_node_expansion_required(!request.volume_capability().has_block());
  return {};
}

Status LvmController::volume(const csi::Call& call, const csi::v1::ControllerGetVolumeRequest& request,
                             csi::v1::ControllerGetVolumeResponse& response) {
  HOLDFAST_TRY(const LocalVolume found, volumes_.find(request.volume_id(), patience_of(call)));
  tell(found, topology_key_, node_, *response.mutable_volume());
  return {};
}

}  // namespace holdfast::lvm
