#include "csi-lvm/cluster/cluster_state.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "csi-lvm/cluster/storage_names.h"

namespace holdfast::lvm {
namespace {

using std::chrono::nanoseconds;

kube::WatchOptions all_of(kube::Resource resource, kube::KeptFields kept) {
  kube::WatchOptions options;
  options.resource = std::move(resource);
  options.kept = std::move(kept);
  options.restored_store_wait = kube::kConfirmAgain;
  options.confirmed_by = kube::ConfirmedBy::kServer;
  return options;
}

kube::Resource nodes() { return {.group = "", .version = "v1", .plural = "nodes"}; }

}  // namespace

ClusterState::ClusterState(EventLoop& loop, kube::Http& http, Logger& log, Options options)
    : loop_(loop),
      log_(log),
      options_(options),
      volumes_(decode_logical_volume, {.changed = [this](const std::string& /*name*/) { changed(); },
                                       .listed = [this] { changed(); },
                                       .trouble =
                                           [this](const Error& error) {
                                             log_.warning("LogicalVolumes", {{"why", error.message}});
                                           }}),
      storages_(decode_node_storage, {.changed = [this](const std::string& name) { storage_changed(name); },
                                      .listed = [this] { changed(); },
                                      .trouble =
                                          [this](const Error& error) {
                                            log_.warning("NodeStorages", {{"why", error.message}});
                                          },
                                      .heard = [this] { last_heard_ = now(); }}),
      nodes_(decode_node, {.changed = [this](const std::string& /*name*/) { changed(); },
                           .listed = [this] { changed(); },
                           .trouble =
                               [this](const Error& error) {
                                 log_.warning("Nodes", {{"why", error.message}});
                               }}),
      volume_watcher_(loop, http, all_of(logical_volumes(), logical_volume_fields()), volumes_, options.seed),
      storage_watcher_(loop, http, all_of(node_storages(), node_storage_fields()), storages_,
                       options.seed + 1),
      node_watcher_(loop, http, all_of(nodes(), {"spec.taints"}), nodes_, options.seed + 2) {}

void ClusterState::start() {
  volume_watcher_.start();
  storage_watcher_.start();
  node_watcher_.start();
  last_tick_ = last_heard_ = now();
  tick();
}

bool ClusterState::is_known() const {
  return volumes_.has_list() && storages_.has_list() && nodes_.has_list();
}

void ClusterState::storage_changed(const std::string& node) {
  last_heard_ = now();
  const NodeStorageObject* storage = storages_.find(node);
  Sight& sight = seen_[node];
  if (storage == nullptr) {
    seen_.erase(node);
  } else if (sight.version != storage->id.resource_version) {  // a list tells what is old again
    sight = {.version = storage->id.resource_version, .at = listened_};
  }
  changed();
}

// A connection that was lost without a word tells nothing for longer than a bookmark takes to come; and a
// process that was stopped has not listened.
void ClusterState::count_listening() {
  const bool listening = storage_watcher_.watching() && now() - last_heard_ < options_.stale_after / 6 * 5;
  if (listening) listened_ += std::min<nanoseconds>(now() - last_tick_, options_.tick * 2);
  last_tick_ = now();
}

// Not from within a watch's call: who is told may ask for anything.
void ClusterState::changed() {
  if (soon_.pending()) return;
  soon_ = loop_.after({}, [this] {
    look_at_nodes();
    for (const auto& listener : listeners_) listener();
  });
}

void ClusterState::tick() {
  count_listening();
  changed();
  tick_ = loop_.after(options_.tick, [this] { tick(); });
}

// A node counts as off from when it was seen so without a break.
void ClusterState::look_at_nodes() {
  std::map<std::string, nanoseconds> off;
  const auto look = [&](const std::string& name) {
    const NodeObject* node = nodes_.find(name);
    const bool is_off = node == nullptr ? nodes_.is_whole() : node->out_of_service;
    if (!is_off) return;
    const auto before = off_since_.find(name);
    off.emplace(name, before == off_since_.end() ? now() : before->second);
  };
  for (const auto& [name, object] : volumes_.all()) look(object.spec.node);
  for (const auto& [name, storage] : storages_.all()) look(name);
  off_since_ = std::move(off);
}

std::vector<const LogicalVolumeObject*> ClusterState::objects_of(const std::string& volume) const {
  std::vector<const LogicalVolumeObject*> out;
  for (const auto& [name, object] : volumes_.all()) {
    if (object.spec.volume_name == volume) out.push_back(&object);
  }
  return out;
}

Result<const LogicalVolumeObject*> ClusterState::live_object(const std::string& volume) const {
  std::vector<const LogicalVolumeObject*> found = objects_of(volume);
  std::erase_if(found, [](const LogicalVolumeObject* each) { return each->deleting; });
  if (found.empty()) return fail(Code::kNotFound, "there is no volume or snapshot " + volume);
  if (found.size() > 1) {
    return fail(Code::kFailedPrecondition, "the nodes " + found[0]->spec.node + " and " +
                                               found[1]->spec.node + " both have one called " + volume);
  }
  return found.front();
}

NodeLife ClusterState::life(const std::string& node) const {
  NodeLife out;
  const auto seen = seen_.find(node);
  out.stale = seen == seen_.end() || listened_ - seen->second.at >= options_.stale_after;
  const auto off = off_since_.find(node);
  out.gone = out.stale && off != off_since_.end() && now() - off->second >= options_.node_gone_grace;
  return out;
}

NodeFigures ClusterState::figures(const std::string& node) const {
  NodeFigures out;
  const NodeStorageObject* storage = storages_.find(node);
  if (storage != nullptr) out.storage = &storage->status;
  out.stale = life(node).stale;
  for (const auto& [name, object] : volumes_.all()) {
    if (object.spec.node == node) out.volumes.push_back(&object);
  }
  return out;
}

std::vector<std::string> ClusterState::nodes_at(const std::string& key, const std::string& value) const {
  std::vector<std::string> out;
  for (const auto& [name, storage] : storages_.all()) {
    const auto found = storage.topology.find(key);
    if (found != storage.topology.end() && found->second == value) out.push_back(name);
  }
  return out;
}

}  // namespace holdfast::lvm
