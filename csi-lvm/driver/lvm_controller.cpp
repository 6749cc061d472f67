#include "csi-lvm/driver/lvm_controller.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "common/csi/proto/csi.pb.h"
#include "csi-lvm/driver/csi_requests.h"

namespace holdfast::lvm {
namespace {

using Capability = csi::v1::ControllerServiceCapability::RPC;
constexpr Capability::Type kCapabilities[] = {
    Capability::CREATE_DELETE_VOLUME,    Capability::LIST_VOLUMES,   Capability::GET_CAPACITY,
    Capability::CREATE_DELETE_SNAPSHOT,  Capability::LIST_SNAPSHOTS, Capability::CLONE_VOLUME,
    Capability::EXPAND_VOLUME,           Capability::GET_VOLUME,     Capability::VOLUME_CONDITION,
    Capability::SINGLE_NODE_MULTI_WRITER};

constexpr Lvm::Patience kForCapacity{1000};

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
  if (request.has_volume_content_source()) {
    HOLDFAST_TRY(wanted.source, read_source(request.volume_content_source()));
  }
  return wanted;
}

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
  HOLDFAST_CHECK(check_topology(request.accessibility_requirements(), topology_key_, node_));
  HOLDFAST_TRY(const LocalVolume made, volumes_.create(wanted, patience_of(call)));
  csi::v1::Volume& volume = *response.mutable_volume();
  tell(made, topology_key_, node_, volume);
  tell_class(request, volume);
  return {};
}

Status LvmController::delete_volume(const csi::Call& call, const csi::v1::DeleteVolumeRequest& request,
                                    csi::v1::DeleteVolumeResponse& /*response*/) {
  return volumes_.remove(request.volume_id(), patience_of(call));
}

Status LvmController::validate_capabilities(const csi::Call& call,
                                            const csi::v1::ValidateVolumeCapabilitiesRequest& request,
                                            csi::v1::ValidateVolumeCapabilitiesResponse& response) {
  HOLDFAST_TRY(const LocalVolume found, find_volume(call, request.volume_id()));
  confirm(request, found.files_only, response);
  return {};
}

Status LvmController::list_volumes(const csi::Call& call, const csi::v1::ListVolumesRequest& request,
                                   csi::v1::ListVolumesResponse& response) {
  HOLDFAST_TRY(const std::vector<LocalVolume> all, list(call, false));
  HOLDFAST_TRY(const Page page, page_of(all, request.max_entries(), request.starting_token()));
  for (std::size_t i = page.begin; i < page.end; ++i) {
    csi::v1::ListVolumesResponse::Entry& entry = *response.add_entries();
    tell(all[i], topology_key_, node_, *entry.mutable_volume());
    tell(all[i].ailments, *entry.mutable_status()->mutable_volume_condition());
  }
  response.set_next_token(page.next_token);
  return {};
}

Status LvmController::list_volume_health(const csi::Call& call,
                                         const csi::v1::ControllerListVolumeHealthRequest& request,
                                         csi::v1::ControllerListVolumeHealthResponse& response) {
  HOLDFAST_TRY(const std::vector<LocalVolume> all, list(call, false));
  HOLDFAST_TRY(const Page page, page_of(all, request.max_entries(), request.starting_token()));
  for (std::size_t i = page.begin; i < page.end; ++i)
    tell(all[i].name.volume, all[i].ailments, *response.add_entries());
  response.set_next_token(page.next_token);
  return {};
}

Status LvmController::volume_health(const csi::Call& call,
                                    const csi::v1::ControllerGetVolumeHealthRequest& request,
                                    csi::v1::ControllerGetVolumeHealthResponse& response) {
  HOLDFAST_TRY(const LocalVolume found, find_volume(call, request.volume_id()));
  tell(found.name.volume, found.ailments, *response.mutable_volume_health());
  return {};
}

Status LvmController::capacity(const csi::Call& call, const csi::v1::GetCapacityRequest& request,
                               csi::v1::GetCapacityResponse& response) {
  const auto& place = request.accessible_topology().segments();
  const auto node = place.find(topology_key_);
  if (node != place.end() && node->second != node_) return {};  // nothing of ours is there
  // An LVM that does not answer leaves what it told last.
  static_cast<void>(volumes_.renew(std::min(patience_of(call), kForCapacity)));
  Capacity capacity;
  if (request.parameters().empty()) {
    capacity.available_bytes = book_.available_bytes();
  } else {
    HOLDFAST_TRY(const Parameters parameters, parse_parameters(to_map(request.parameters()), false));
    const Result<Capacity> told = book_.capacity(room_in(parameters));
    // Nothing can be made in a group or pool that is not here; whoever publishes capacities publishes that.
    if (!told && told.error().code != Code::kNotFound) return tl::unexpected(told.error());
    capacity = told.value_or(Capacity{});
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
  return volumes_.remove_snapshot(request.snapshot_id(), patience_of(call));
}

Status LvmController::list_snapshots(const csi::Call& call, const csi::v1::ListSnapshotsRequest& request,
                                     csi::v1::ListSnapshotsResponse& response) {
  HOLDFAST_TRY(std::vector<LocalVolume> all, list(call, true));
  std::erase_if(all, [&request](const LocalVolume& each) {
    const bool other = !request.snapshot_id().empty() && each.name.volume != request.snapshot_id();
    return other || (!request.source_volume_id().empty() && each.source != request.source_volume_id());
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
  const csi::v1::CapacityRange& range = request.capacity_range();
  HOLDFAST_TRY(const std::uint64_t size, volumes_.extend(request.volume_id(), bytes(range.required_bytes()),
                                                         bytes(range.limit_bytes()), patience_of(call)));
  response.set_capacity_bytes(static_cast<std::int64_t>(size));
  response.set_node_expansion_required(!request.volume_capability().has_block());
  if (request.volume_capability().has_block()) {
    HOLDFAST_TRY(const LocalVolume grown, volumes_.locate(request.volume_id(), patience_of(call)));
    response.set_node_expansion_required(grown.encrypted);  // its clear device does not grow by itself
  }
  return {};
}

Status LvmController::volume(const csi::Call& call, const csi::v1::ControllerGetVolumeRequest& request,
                             csi::v1::ControllerGetVolumeResponse& response) {
  HOLDFAST_TRY(const LocalVolume found, find_volume(call, request.volume_id()));
  tell(found, topology_key_, node_, *response.mutable_volume());
  tell(found.ailments, *response.mutable_status()->mutable_volume_condition());
  return {};
}

Result<std::vector<LocalVolume>> LvmController::list(const csi::Call& call, bool snapshots) {
  HOLDFAST_TRY(std::vector<LocalVolume> all, volumes_.list(patience_of(call)));
  std::erase_if(all, [snapshots](const LocalVolume& each) { return each.is_snapshot() != snapshots; });
  return all;
}

Result<LocalVolume> LvmController::find_volume(const csi::Call& call, const std::string& id) {
  HOLDFAST_TRY(LocalVolume found, volumes_.find(id, patience_of(call)));
  if (found.is_snapshot()) return fail(Code::kNotFound, "there is no volume " + id + "; it is a snapshot");
  return found;
}

}  // namespace holdfast::lvm
