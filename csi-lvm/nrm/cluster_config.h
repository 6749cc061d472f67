#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/kube/events.h"
#include "common/kube/http.h"
#include "common/kube/object_client.h"
#include "common/kube/watcher.h"
#include "csi-lvm/nrm/config_source.h"
#include "csi-lvm/nrm/resource_pass.h"

namespace holdfast::nrm {

/// Follows one object by its name.
class WatchedObject final : public kube::WatchConsumer {
 public:
  struct Callbacks {
    std::function<void(const nlohmann::json&)> is{};    ///< as it is now
    std::function<void()> absent{};                     ///< it does not exist
    std::function<void(const std::string&)> trouble{};  ///< empty: none any more
  };
  /// `loop` and `http` outlive it.
  WatchedObject(EventLoop& loop, kube::Http& http, kube::Resource resource, const std::string& name,
                kube::KeptFields kept, Callbacks callbacks, std::uint64_t seed);
  void start() { watcher_.start(); }

 private:
  void list_begun() override { seen_ = false; }
  void put(const kube::ObjectId& id, const nlohmann::json& object) override;
  void removed(const kube::ObjectId& id) override;
  void list_read() override {}
  void list_authoritative() override;
  void version(const std::string& /*resource_version*/) override {}
  void connected() override { callbacks_.trouble(""); }
  void trouble(const Error& error) override { callbacks_.trouble(error.message); }

  std::string name_;
  Callbacks callbacks_;
  bool seen_ = false;  // by the list, or since
  kube::Watcher watcher_;
};

/// From the cluster: the ConfigMap kube-system/node-resource-topo and the labels of the Node. Told when both
/// are known; a ConfigMap that does not exist asks for nothing. What was told is kept in the state folder:
/// when the cluster has not answered for kPatience after the start, the last of it counts.
class ClusterConfig final : public ConfigSource {
 public:
  static constexpr std::chrono::seconds kPatience{60};

  struct Where {
    std::string node;
    std::string name_space = "kube-system";
    std::string config_map = "node-resource-topo";
  };
  /// All outlive it. `fixed_labels` count before the Node's.
  ClusterConfig(EventLoop& loop, kube::Http& http, Files& files, std::filesystem::path state_dir,
                const Where& where, NodeLabels fixed_labels, std::uint64_t seed);

  Status start(Callbacks callbacks) override;

 private:
  void tell();
  void use_kept();
  void set_trouble(const std::string& what, const std::string& why);

  EventLoop& loop_;
  Files& files_;
  std::filesystem::path state_dir_;
  NodeLabels fixed_labels_;
  Callbacks callbacks_;
  std::optional<ConfigData> data_;
  std::optional<NodeLabels> labels_;
  std::optional<NodeConfig> last_;
  std::map<std::string, std::string> troubles_;
  WatchedObject config_map_;
  WatchedObject node_;
  EventLoop::Timer patience_;
};

/// Events on the Node for what somebody must look at, each once, and again when its words change:
/// DeviceNotExists, DeviceRefused, VolumeGroupDegraded, NodeResourceRejected (an entry), NodeResourceFailed.
class PlanEvents {
 public:
  /// `recorder` outlives it.
  PlanEvents(kube::EventRecorder& recorder, std::string node) : recorder_(recorder), node_(std::move(node)) {}
  void tell(const PassResult& result);

 private:
  kube::EventRecorder& recorder_;
  std::string node_;
  std::map<std::string, std::string> told_;  // by entry and selector
};

}  // namespace holdfast::nrm
