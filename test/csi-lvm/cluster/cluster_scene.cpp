#include "test/csi-lvm/cluster/cluster_scene.h"

#include <algorithm>
#include <utility>

#include "csi-lvm/cluster/storage_names.h"
#include "test/csi-lvm/cluster/storage_kinds.h"

namespace holdfast::lvm::test {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

std::unique_ptr<kube::ObjectClient> client_of(ClusterScene& scene, kube::Http& http) {
  return std::make_unique<kube::ObjectClient>(
      *scene.loop, http,
      kube::ObjectClientOptions{.field_manager = "csi-lvm", .first_wait = 1ms, .longest_wait = 5ms}, 1);
}

}  // namespace

ClusterScene::ClusterScene() {
  server.heed_bounds();
  define_storage_kinds(server);
  server.watches().bookmark_period = 20ms;
  connect({.server = server.url()}, kControllerAgent);
  client = client_of(*this, *http);
  watches = another_way(kControllerAgent);
}

std::unique_ptr<kube::CurlHttp> ClusterScene::another_way(const std::string& user_agent) {
  kube::Config config;
  config.server = server.url();
  return kube::CurlHttp::create(*loop, config, files, metrics, user_agent).value();
}

json ClusterScene::at(const std::string& path) {
  const holdfast::test::StoredObject found = server.find(path);
  return found ? *found : json();
}

json ClusterScene::volume_object(const std::string& volume, const std::string& node) {
  return at(kVolumesPath + object_name(volume, node));
}

std::size_t ClusterScene::count_requests(const std::string& begin) {
  return static_cast<std::size_t>(
      std::ranges::count_if(server.requests(), [&](const auto& each) { return each.starts_with(begin); }));
}

ClusterNode::ClusterNode(ClusterScene& of, std::string node_name)
    : scene(of),
      name(std::move(node_name)),
      volumes(lvm, book, cleaner, copier, of.clock, kClusterUid),
      watches(of.another_way(kNodeAgent)),
      writes(of.another_way(kNodeAgent)),
      client(client_of(of, *writes)) {
  lvm.add_group("vg", {100, 100});
  scene.server.put("/api/v1/nodes/" + name, {{"metadata", {{"labels", {{kTopologyKey, name}}}}}});
}

void ClusterNode::start() {
  lvm.before = nullptr;
  lvm.after = nullptr;
  VolumeAgent::Options options;
  options.node = name;
  options.cluster = kClusterUid;
  options.topology = {{kTopologyKey, name}};
  options.heartbeat = heartbeat;
  options.settle = 2ms;
  options.first_wait = 2ms;
  options.longest_wait = 20ms;
  options.seed = ++lives * 100;
  agent = std::make_unique<VolumeAgent>(VolumeAgent::Context{.loop = *scene.loop,
                                                             .http = *watches,
                                                             .client = *client,
                                                             .lvm = lvm,
                                                             .volumes = volumes,
                                                             .book = book,
                                                             .log = scene.log},
                                        std::move(options));
  agent->start();
}

void ClusterNode::die() { agent.reset(); }

const LogicalVolume* ClusterNode::volume(const std::string& id) {
  seen = lvm.look(1s).value();
  return seen.group("vg")->volume(id);
}

void ClusterNode::tag_published(const std::string& id) {
  REQUIRE(lvm.change_tags({"vg", id}, {}, {"csi.published=yes"}, 1s).has_value());
}

ClusterState::Options ClusterCalls::quick() {
  return {.node_gone_grace = 50ms, .stale_after = 500ms, .tick = 10ms, .seed = 7};
}

ClusterCalls::ClusterCalls(ClusterScene& of, ClusterState::Options options)
    : scene(of),
      state(*of.loop, *of.watches, of.log, options),
      volumes({.loop = *of.loop, .client = *of.client, .state = state}) {
  state.start();
}

VolumeWish ClusterCalls::wish(const std::string& volume, std::uint64_t bytes,
                              std::vector<std::string> nodes) {
  VolumeWish out;
  out.spec.volume_name = volume;
  out.spec.parameters = {{"vgName", "vg"}};
  out.spec.required_bytes = bytes;
  out.nodes = [nodes = std::move(nodes)](const ClusterState& /*state*/) { return nodes; };
  return out;
}

ClusterCalls::Answer ClusterCalls::answer_of(const std::function<void(ClusterVolumes::Done)>& begin) {
  std::optional<Answer> answer;
  begin([&answer](Answer told) { answer = std::move(told); });
  scene.turn_until([&answer] { return answer.has_value(); });
  return *std::move(answer);
}

ClusterCalls::Answer ClusterCalls::create(const VolumeWish& wanted, std::chrono::milliseconds patience) {
  return answer_of([&](ClusterVolumes::Done done) { volumes.create(wanted, patience, std::move(done)); });
}

ClusterCalls::Answer ClusterCalls::remove(const std::string& volume, std::chrono::milliseconds patience,
                                          VolumeKind kind) {
  return answer_of(
      [&](ClusterVolumes::Done done) { volumes.remove(volume, kind, patience, std::move(done)); });
}

ClusterCalls::Answer ClusterCalls::grow(const std::string& volume, std::uint64_t bytes, std::uint64_t limit) {
  return answer_of(
      [&](ClusterVolumes::Done done) { volumes.grow(volume, bytes, limit, 60s, std::move(done)); });
}

void ClusterCalls::wait_for_node(const std::string& node, bool stale) {
  scene.turn_until([&] {
    const auto found = state.storages().find(node);
    const bool known = found != state.storages().end() && !found->second.status.groups.empty();
    return state.is_known() && known && state.life(node).stale == stale;
  });
}

}  // namespace holdfast::lvm::test
