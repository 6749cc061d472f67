#include "csi-lvm/nrm/cluster_config.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast::nrm {
namespace {

using nlohmann::json;

kube::Resource core(const char* plural, std::string name_space) {
  return {.group = "", .version = "v1", .plural = plural, .name_space = std::move(name_space)};
}

// The members of an object that are strings; of another one none.
std::map<std::string, std::string> texts_at(const json& object, const char* pointer) {
  std::map<std::string, std::string> texts;
  const json::json_pointer at(pointer);
  if (!object.contains(at) || !object[at].is_object()) return texts;
  for (const auto& [key, value] : object[at].items()) {
    if (value.is_string()) texts[key] = value.get<std::string>();
  }
  return texts;
}

const char* reason_of(const PlanRow& row) {
  if (row.action == Action::kMissing) return "DeviceNotExists";
  if (row.action == Action::kDegraded) return "VolumeGroupDegraded";
  if (row.action == Action::kFailed) return "NodeResourceFailed";
  return row.selector.empty() ? "NodeResourceRejected" : "DeviceRefused";
}

}  // namespace

WatchedObject::WatchedObject(EventLoop& loop, kube::Http& http, kube::Resource resource,
                             const std::string& name, kube::KeptFields kept, Callbacks callbacks,
                             std::uint64_t seed)
    : name_(name),
      callbacks_(std::move(callbacks)),
      watcher_(loop, http,
               {.resource = std::move(resource),
                .field_selector = "metadata.name=" + name,
                .kept = std::move(kept)},
               *this, seed) {}

void WatchedObject::put(const kube::ObjectId& id, const json& object) {
  if (id.name != name_) return;
  seen_ = true;
  callbacks_.is(object);
}

void WatchedObject::removed(const kube::ObjectId& id) {
  if (id.name == name_) callbacks_.absent();
}

void WatchedObject::list_authoritative() {
  if (!seen_) callbacks_.absent();
}

ClusterConfig::ClusterConfig(EventLoop& loop, kube::Http& http, Files& files, std::filesystem::path state_dir,
                             const Where& where, NodeLabels fixed_labels, std::uint64_t seed)
    : loop_(loop),
      files_(files),
      state_dir_(std::move(state_dir)),
      fixed_labels_(std::move(fixed_labels)),
      config_map_(loop, http, core("configmaps", where.name_space), where.config_map, {"data"},
                  {.is =
                       [this](const json& object) {
                         data_ = texts_at(object, "/data");
                         tell();
                       },
                   .absent =
                       [this] {
                         data_ = ConfigData{};
                         tell();
                       },
                   .trouble = [this](const std::string& why) { set_trouble("the ConfigMap", why); }},
                  seed),
      node_(loop, http, core("nodes", ""), where.node, {"metadata.labels"},
            {.is =
                 [this](const json& object) {
                   labels_ = texts_at(object, "/metadata/labels");
                   tell();
                 },
             .absent = [this] { set_trouble("the Node", "there is none of this name"); },
             .trouble = [this](const std::string& why) { set_trouble("the Node", why); }},
            seed + 1) {}

Status ClusterConfig::start(Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  config_map_.start();
  node_.start();
  patience_ = loop_.after(kPatience, [this] { use_kept(); });
  return {};
}

void ClusterConfig::tell() {
  if (!data_ || !labels_) return;
  patience_.end();
  NodeConfig config{.data = *data_, .labels = fixed_labels_};
  config.labels.insert(labels_->begin(), labels_->end());
  if (last_ && *last_ == config) return;
  last_ = config;
  if (const Status kept = save_config(files_, state_dir_, config); !kept) {
    set_trouble("the kept configuration", kept.error().message);
  }
  callbacks_.told(std::move(config));
}

void ClusterConfig::use_kept() {
  auto kept = load_config(files_, state_dir_);
  if (!kept) return set_trouble("the kept configuration", kept.error().message);
  if (!*kept) return;
  last_ = **kept;
  callbacks_.told(**std::move(kept));
}

void ClusterConfig::set_trouble(const std::string& what, const std::string& why) {
  std::string& known = troubles_[what];
  if (known == why) return;
  known = why;
  callbacks_.trouble(why.empty() ? why : what + ": " + why);
}

void PlanEvents::tell(const PassResult& result) {
  std::map<std::string, std::string> now;
  for (const PlanRow& row : result.rows) {
    if (!is_trouble(row.action)) continue;
    const std::string key = row.entry + " " + row.selector;
    std::string message = row.entry;
    for (const std::string& part : {row.selector, row.reason})
      message.append(part.empty() ? "" : ": ").append(part);
    const auto before = told_.find(key);
    const bool news = before == told_.end() || before->second != message;
    now[key] = message;
    if (!news) continue;
    recorder_.record({.kind = "Node",
                      .name = node_,
                      .uid = node_,  // as kubelet does: kubectl looks for events of a Node by its name
                      .warning = true,
                      .reason = reason_of(row),
                      .message = std::move(message)});
  }
  told_ = std::move(now);
}

}  // namespace holdfast::nrm
