#include "csi-lvm/cluster/cluster_questions.h"

#include <algorithm>
#include <utility>

#include "common/csi/proto/csi.pb.h"

namespace holdfast::lvm {
namespace {

bool is_at(const NodeStorageObject& storage, const Place& place) {
  return std::ranges::all_of(place, [&storage](const auto& segment) {
    const auto found = storage.topology.find(segment.first);
    return found != storage.topology.end() && found->second == segment.second;
  });
}

std::vector<std::string> by_room(const ClusterState& state) {
  std::vector<std::pair<std::uint64_t, std::string>> rooms;
  for (const auto& [node, storage] : state.storages()) {
    rooms.emplace_back(predicted_book(state.figures(node))->available_bytes(), node);
  }
  std::ranges::stable_sort(rooms, std::greater<>(), &std::pair<std::uint64_t, std::string>::first);
  std::vector<std::string> out;
  out.reserve(rooms.size());
  for (auto& [bytes, node] : rooms) out.push_back(std::move(node));
  return out;
}

const char* to_string(VolumeKind kind) { return kind == VolumeKind::kVolume ? "volume" : "snapshot"; }

bool is_encrypted(const LogicalVolumeSpec& spec) {
  const auto told = spec.parameters.find("encrypted");
  return told != spec.parameters.end() && told->second == "true";
}

// As needs_files() of its volume on the node.
bool needs_files(const LogicalVolumeSpec& spec) {
  return !is_encrypted(spec) && !spec.block && !spec.parameters.contains("thinPool");
}

bool is_told(const LogicalVolumeObject& object) {
  return !object.deleting && object.status.state == VolumeState::kReady;
}

}  // namespace

std::vector<Place> places_of(const csi::v1::TopologyRequirement& wanted) {
  std::vector<Place> out;
  const auto add = [&out](const auto& places) {
    for (const csi::v1::Topology& place : places) {
      out.emplace_back(place.segments().begin(), place.segments().end());
    }
  };
  add(wanted.preferred());
  add(wanted.requisite());
  return out;
}

std::vector<std::string> nodes_at(const ClusterState& state, const std::vector<Place>& places) {
  if (places.empty()) return by_room(state);
  std::vector<std::string> out;
  for (const Place& place : places) {
    for (const auto& [node, storage] : state.storages()) {
      const bool is_new = std::ranges::find(out, node) == out.end();
      if (is_new && is_at(storage, place)) out.push_back(node);
    }
  }
  return out;
}

ToldVolume tell_of(const ClusterState& state, const LogicalVolumeObject& object,
                   const std::string& topology_key) {
  ToldVolume out;
  out.volume.name = {object.status.group, object.spec.volume_name};
  out.volume.size_bytes = object.status.size_bytes;
  out.volume.source = object.spec.source;
  out.volume.from_snapshot = object.spec.source_kind == VolumeKind::kSnapshot;
  out.volume.taken = object.status.taken;
  out.volume.files_only = needs_files(object.spec);
  out.volume.encrypted = is_encrypted(object.spec);
  out.place = object.spec.node;
  const auto storage = state.storages().find(object.spec.node);
  if (storage != state.storages().end()) {
    const auto told = storage->second.topology.find(topology_key);
    if (told != storage->second.topology.end()) out.place = told->second;
  }
  out.trouble = object.status.abnormal;
  if (out.trouble.empty() && state.life(object.spec.node).stale) {
    out.trouble = "the node " + object.spec.node + " has told nothing for a while";
  }
  return out;
}

std::vector<ToldVolume> list_of(const ClusterState& state, VolumeKind kind, const std::string& topology_key) {
  std::vector<ToldVolume> out;
  for (const auto& [name, object] : state.volumes().all()) {
    if (is_told(object) && object.spec.kind == kind) out.push_back(tell_of(state, object, topology_key));
  }
  std::ranges::sort(out, {}, [](const ToldVolume& each) { return each.volume.name.volume; });
  return out;
}

Result<ToldVolume> find_in(const ClusterState& state, const std::string& volume, VolumeKind kind,
                           const std::string& topology_key) {
  HOLDFAST_TRY(const LogicalVolumeObject* object, state.live_object(volume));
  if (!is_told(*object) || object->spec.kind != kind) {
    return fail(Code::kNotFound, std::string("there is no ") + to_string(kind) + " " + volume);
  }
  return tell_of(state, *object, topology_key);
}

Capacity capacity_at(const ClusterState& state, const Place& place, const Parameters* parameters) {
  Capacity sum;
  for (const auto& [node, storage] : state.storages()) {
    if (!is_at(storage, place)) continue;
    const NodeFigures figures = state.figures(node);
    if (parameters == nullptr) {
      sum.available_bytes += predicted_book(figures)->available_bytes();
      continue;
    }
    const Capacity of_node = predicted_capacity(figures, *parameters);
    sum.available_bytes += of_node.available_bytes;
    sum.largest_bytes = std::max(sum.largest_bytes, of_node.largest_bytes);
    sum.smallest_bytes = std::max(sum.smallest_bytes, of_node.smallest_bytes);
  }
  return sum;
}

Result<std::string> node_of_source(const ClusterState& state, const LogicalVolumeSpec& wanted) {
  if (const auto there = state.live_object(wanted.volume_name)) {
    const LogicalVolumeSpec& spec = (*there)->spec;
    const bool same = spec.kind == wanted.kind && spec.asked_name == wanted.asked_name &&
                      spec.source == wanted.source && spec.source_kind == wanted.source_kind;
    if (same) return spec.node;
    return fail(Code::kAlreadyExists, "there is another volume or snapshot " + wanted.volume_name);
  }
  const auto source = state.live_object(wanted.source);
  if (!source && source.error().code != Code::kNotFound) return tl::unexpected(source.error());
  if (source && is_told(**source) && (*source)->spec.kind == wanted.source_kind) return (*source)->spec.node;
  return fail(Code::kNotFound,
              std::string("there is no ") + to_string(wanted.source_kind) + " " + wanted.source);
}

Result<VolumeWish> snapshot_wish(const ClusterState& state, const std::string& name,
                                 const std::string& source,
                                 const std::map<std::string, std::string>& parameters) {
  HOLDFAST_CHECK(parse_snapshot_parameters(parameters));
  VolumeWish wish;
  wish.predicted = false;
  wish.spec.kind = VolumeKind::kSnapshot;
  wish.spec.call(name);
  wish.spec.source = source;
  wish.spec.parameters = parameters;
  HOLDFAST_TRY(const std::string node, node_of_source(state, wish.spec));
  wish.nodes = [node](const ClusterState& /*state*/) { return std::vector<std::string>{node}; };
  return wish;
}

}  // namespace holdfast::lvm
