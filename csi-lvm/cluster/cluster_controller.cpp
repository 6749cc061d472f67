#include "csi-lvm/cluster/cluster_controller.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "common/base/on_loop.h"
#include "common/csi/proto/csi.pb.h"
#include "csi-lvm/driver/csi_requests.h"
#include "csi-lvm/lvm/lvm_command.h"

namespace holdfast::lvm {
namespace {

using Capability = csi::v1::ControllerServiceCapability::RPC;
constexpr Capability::Type kCapabilities[] = {
    Capability::CREATE_DELETE_VOLUME,    Capability::LIST_VOLUMES,   Capability::GET_CAPACITY,
    Capability::CREATE_DELETE_SNAPSHOT,  Capability::LIST_SNAPSHOTS, Capability::CLONE_VOLUME,
    Capability::EXPAND_VOLUME,           Capability::GET_VOLUME,     Capability::VOLUME_CONDITION,
    Capability::SINGLE_NODE_MULTI_WRITER};

constexpr std::chrono::seconds kForAQuestion{5};
constexpr std::chrono::seconds kForTheLoop{2};  // beyond the time that a call has

using Text = std::map<std::string, std::string>;

template <class Map>
Text to_text(const Map& map) {
  return {map.begin(), map.end()};
}

std::uint64_t count_of(std::int64_t count) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0));
}

// The file system that the capabilities ask for stands in the class's parameters, where the node looks.
Result<LogicalVolumeSpec> read_spec(const csi::v1::CreateVolumeRequest& request) {
  LogicalVolumeSpec spec;
  spec.call(request.name());
  if (request.has_volume_content_source()) {
    HOLDFAST_TRY(const ContentSource source, read_source(request.volume_content_source()));
    spec.source = source.id;
    spec.source_kind = source.snapshot ? VolumeKind::kSnapshot : VolumeKind::kVolume;
  }
  spec.required_bytes = count_of(request.capacity_range().required_bytes());
  spec.limit_bytes = count_of(request.capacity_range().limit_bytes());
  spec.parameters = to_text(request.parameters());
  for (const csi::v1::VolumeCapability& capability : request.volume_capabilities()) {
    HOLDFAST_CHECK(check_capability(capability));
    spec.block = spec.block || capability.has_block();
    if (!capability.mount().fs_type().empty()) spec.parameters["fsType"] = capability.mount().fs_type();
  }
  HOLDFAST_TRY(const Parameters parameters, parse_parameters(spec.parameters, spec.block));
  if (!spec.block) HOLDFAST_CHECK(check_mkfs(parameters));
  return spec;
}

Status no_answer_but_status(const Result<ToldVolume>& told) {
  return told ? Status{} : Status(tl::unexpected(told.error()));
}

// page_of() for what is told.
Result<Page> page_in(const std::vector<ToldVolume>& all, std::int32_t most, const std::string& token) {
  std::vector<LocalVolume> volumes;
  volumes.reserve(all.size());
  for (const ToldVolume& each : all) volumes.push_back(each.volume);
  return page_of(volumes, most, token);
}

void tell_condition(const ToldVolume& told, csi::v1::VolumeCondition& into) {
  into.set_abnormal(!told.trouble.empty());
  into.set_message(told.trouble.empty() ? "nothing is known to be wrong" : told.trouble);
}

}  // namespace

ClusterController::ClusterController(const Context& context, std::string topology_key)
    : context_(context), topology_key_(std::move(topology_key)) {}

Result<ToldVolume> ClusterController::wait_for(const csi::Call& call, Begin begin) {
  return on_loop<ToldVolume>(
      context_.loop, patience_of(call) + kForTheLoop,
      [this, begin = std::move(begin)](const std::function<void(Result<ToldVolume>)>& done) {
        begin([this, done](const Result<LogicalVolumeObject>& object) {
          if (!object) return done(tl::unexpected(object.error()));
          done(tell_of(context_.state, *object, topology_key_));
        });
      });
}

template <class T>
Result<T> ClusterController::ask(std::function<Result<T>(const ClusterState&)> question) {
  return on_loop<T>(context_.loop, kForAQuestion,
                    [this, question = std::move(question)](const std::function<void(Result<T>)>& done) {
                      if (context_.state.is_known()) return done(question(context_.state));
                      done(fail(Code::kUnavailable, "the controller has not read the cluster's objects"));
                    });
}

Result<ToldVolume> ClusterController::find(const std::string& volume) {
  return ask<ToldVolume>([this, volume](const ClusterState& state) {
    return find_in(state, volume, VolumeKind::kVolume, topology_key_);
  });
}

Status ClusterController::capabilities(const csi::Call& /*call*/,
                                       const csi::v1::ControllerGetCapabilitiesRequest& /*request*/,
                                       csi::v1::ControllerGetCapabilitiesResponse& response) {
  for (const Capability::Type type : kCapabilities)
    response.add_capabilities()->mutable_rpc()->set_type(type);
  return {};
}

Status ClusterController::create_volume(const csi::Call& call, const csi::v1::CreateVolumeRequest& request,
                                        csi::v1::CreateVolumeResponse& response) {
  VolumeWish wish;
  HOLDFAST_TRY(wish.spec, read_spec(request));
  std::string source_node;
  if (!wish.spec.source.empty()) {
    HOLDFAST_TRY(source_node, ask<std::string>([spec = wish.spec](const ClusterState& state) {
                   return node_of_source(state, spec);
                 }));
  }
  wish.nodes = [places = places_of(request.accessibility_requirements()),
                source_node](const ClusterState& state) {
    std::vector<std::string> nodes = nodes_at(state, places);
    if (!source_node.empty()) std::erase_if(nodes, [&](const auto& node) { return node != source_node; });
    return nodes;
  };
  HOLDFAST_TRY(const ToldVolume made, wait_for(call, [this, wish, time = call.time_left()](auto done) {
                 context_.volumes.create(wish, time, std::move(done));
               }));
  csi::v1::Volume& volume = *response.mutable_volume();
  tell(made.volume, topology_key_, made.place, volume);
  tell_class(request, volume);
  return {};
}

Status ClusterController::delete_volume(const csi::Call& call, const csi::v1::DeleteVolumeRequest& request,
                                        csi::v1::DeleteVolumeResponse& /*response*/) {
  const std::string& id = request.volume_id();
  if (!check_name(id)) return {};  // no volume has such a name
  return no_answer_but_status(wait_for(call, [this, id, time = call.time_left()](auto done) {
    context_.volumes.remove(id, VolumeKind::kVolume, time, std::move(done));
  }));
}

Status ClusterController::validate_capabilities(const csi::Call& /*call*/,
                                                const csi::v1::ValidateVolumeCapabilitiesRequest& request,
                                                csi::v1::ValidateVolumeCapabilitiesResponse& response) {
  HOLDFAST_TRY(const ToldVolume found, find(request.volume_id()));
  confirm(request, found.volume.files_only, response);
  return {};
}

Status ClusterController::list_volumes(const csi::Call& /*call*/, const csi::v1::ListVolumesRequest& request,
                                       csi::v1::ListVolumesResponse& response) {
  HOLDFAST_TRY(const std::vector<ToldVolume> all,
               ask<std::vector<ToldVolume>>([this](const ClusterState& state) {
                 return list_of(state, VolumeKind::kVolume, topology_key_);
               }));
  HOLDFAST_TRY(const Page page, page_in(all, request.max_entries(), request.starting_token()));
  for (std::size_t i = page.begin; i < page.end; ++i) {
    csi::v1::ListVolumesResponse::Entry& entry = *response.add_entries();
    tell(all[i].volume, topology_key_, all[i].place, *entry.mutable_volume());
    tell_condition(all[i], *entry.mutable_status()->mutable_volume_condition());
  }
  response.set_next_token(page.next_token);
  return {};
}

Status ClusterController::capacity(const csi::Call& /*call*/, const csi::v1::GetCapacityRequest& request,
                                   csi::v1::GetCapacityResponse& response) {
  const Place place = to_text(request.accessible_topology().segments());
  std::optional<Parameters> parameters;
  if (!request.parameters().empty()) {
    HOLDFAST_TRY(parameters, parse_parameters(to_text(request.parameters()), false));
  }
  HOLDFAST_TRY(const Capacity capacity, ask<Capacity>([place, parameters](const ClusterState& state) {
                 return capacity_at(state, place, parameters ? &*parameters : nullptr);
               }));
  response.set_available_capacity(static_cast<std::int64_t>(capacity.available_bytes));
  if (parameters) {
    response.mutable_maximum_volume_size()->set_value(static_cast<std::int64_t>(capacity.largest_bytes));
    response.mutable_minimum_volume_size()->set_value(static_cast<std::int64_t>(capacity.smallest_bytes));
  }
  return {};
}

Status ClusterController::create_snapshot(const csi::Call& call,
                                          const csi::v1::CreateSnapshotRequest& request,
                                          csi::v1::CreateSnapshotResponse& response) {
  HOLDFAST_TRY(const VolumeWish wish, ask<VolumeWish>([request](const ClusterState& state) {
                 return snapshot_wish(state, request.name(), request.source_volume_id(),
                                      to_text(request.parameters()));
               }));
  HOLDFAST_TRY(const ToldVolume taken, wait_for(call, [this, wish, time = call.time_left()](auto done) {
                 context_.volumes.create(wish, time, std::move(done));
               }));
  tell(taken.volume, *response.mutable_snapshot());
  return {};
}

Status ClusterController::delete_snapshot(const csi::Call& call,
                                          const csi::v1::DeleteSnapshotRequest& request,
                                          csi::v1::DeleteSnapshotResponse& /*response*/) {
  const std::string& id = request.snapshot_id();
  if (!check_name(id)) return {};
  if (find(id)) return fail(Code::kInvalidArgument, id + " is a volume, not a snapshot");
  return no_answer_but_status(wait_for(call, [this, id, time = call.time_left()](auto done) {
    context_.volumes.remove(id, VolumeKind::kSnapshot, time, std::move(done));
  }));
}

Status ClusterController::list_snapshots(const csi::Call& /*call*/,
                                         const csi::v1::ListSnapshotsRequest& request,
                                         csi::v1::ListSnapshotsResponse& response) {
  HOLDFAST_TRY(std::vector<ToldVolume> all, ask<std::vector<ToldVolume>>([this](const ClusterState& state) {
                 return list_of(state, VolumeKind::kSnapshot, topology_key_);
               }));
  std::erase_if(all, [&request](const ToldVolume& each) {
    const std::string& id = request.snapshot_id();
    const std::string& source = request.source_volume_id();
    return (!id.empty() && each.volume.name.volume != id) ||
           (!source.empty() && each.volume.source != source);
  });
  HOLDFAST_TRY(const Page page, page_in(all, request.max_entries(), request.starting_token()));
  for (std::size_t i = page.begin; i < page.end; ++i)
    tell(all[i].volume, *response.add_entries()->mutable_snapshot());
  response.set_next_token(page.next_token);
  return {};
}

Status ClusterController::expand_volume(const csi::Call& call,
                                        const csi::v1::ControllerExpandVolumeRequest& request,
                                        csi::v1::ControllerExpandVolumeResponse& response) {
  const std::string& id = request.volume_id();
  const std::uint64_t required = count_of(request.capacity_range().required_bytes());
  const std::uint64_t limit = count_of(request.capacity_range().limit_bytes());
  HOLDFAST_TRY(const ToldVolume grown,
               wait_for(call, [this, id, required, limit, time = call.time_left()](auto done) {
                 context_.volumes.grow(id, required, limit, time, std::move(done));
               }));
  response.set_capacity_bytes(static_cast<std::int64_t>(grown.volume.size_bytes));
  // The clear device of an encrypted one does not grow by itself.
  response.set_node_expansion_required(!request.volume_capability().has_block() || grown.volume.encrypted);
  return {};
}

Status ClusterController::volume(const csi::Call& /*call*/,
                                 const csi::v1::ControllerGetVolumeRequest& request,
                                 csi::v1::ControllerGetVolumeResponse& response) {
  HOLDFAST_TRY(const ToldVolume found, find(request.volume_id()));
  tell(found.volume, topology_key_, found.place, *response.mutable_volume());
  tell_condition(found, *response.mutable_status()->mutable_volume_condition());
  return {};
}

}  // namespace holdfast::lvm
