#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <google/protobuf/text_format.h>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "common/csi/proto/csi.pb.h"
#include "csi-lvm/cluster/cluster_mode.h"
#include "test/catch.h"
#include "test/csi-lvm/cluster/cluster_scene.h"

/// A controller's driver in a cluster of two nodes, for tests.
namespace holdfast::lvm::test {

inline constexpr const char* kDriver = "localplugin.csi.alibabacloud.com";
inline constexpr const char* kClasses = "/apis/storage.k8s.io/v1/storageclasses/";
inline constexpr const char* kCapacities =
    "/apis/storage.k8s.io/v1/namespaces/kube-system/csistoragecapacities";

class PatientCall final : public csi::Call {
 public:
  [[nodiscard]] bool cancelled() const override { return false; }
  [[nodiscard]] std::chrono::nanoseconds time_left() const override { return std::chrono::seconds(60); }
};

template <class Message>
Message message(const std::string& text) {
  Message out;
  REQUIRE(google::protobuf::TextFormat::ParseFromString(text, &out));
  return out;
}

inline std::string at_node(const std::string& node) {
  return "segments { key: '" + std::string(kTopologyKey) + "' value: '" + node + "' } ";
}

inline std::string volume_request(const std::string& name, std::uint64_t bytes,
                                  const std::string& more = {}) {
  return "name: '" + name + "' capacity_range { required_bytes: " + std::to_string(bytes) +
         " } volume_capabilities { mount { fs_type: 'ext4' } access_mode { mode: SINGLE_NODE_WRITER } }" +
         " parameters { key: 'vgName' value: 'vg' } " + more;
}

// Two nodes, and a controller that answers on other threads.
struct Driver : ClusterScene {
  ClusterNode one{*this, "edge-1"};
  ClusterNode two{*this, "edge-2"};
  ClusterMode mode;
  csi::ControllerDriver& driver = mode.driver();
  PatientCall call;

  explicit Driver(std::chrono::milliseconds stale_after = ClusterCalls::quick().stale_after)
      : mode({.loop = *loop, .http = *watches, .client = *client, .log = log}, options(stale_after)) {
    server.put("/api/v1/namespaces/kube-system", {{"metadata", nlohmann::json::object()}});
    server.put(std::string(kClasses) + "local",
               {{"provisioner", kDriver}, {"parameters", {{"vgName", "vg"}, {"volumeType", "LVM"}}}});
    server.put(std::string(kClasses) + "striped",
               {{"provisioner", kDriver}, {"parameters", {{"vgName", "vg"}, {"lvmType", "striping"}}}});
    server.put(std::string(kClasses) + "other", {{"provisioner", "other.example"}});
    server.put(std::string(kCapacities) + "/theirs",
               {{"storageClassName", "other"}, {"metadata", {{"labels", {{"a", "b"}}}}}});
    one.start();
    two.start();
    mode.start();
    turn_until([this] {
      const auto& storages = mode.state().storages();
      return mode.state().is_known() && storages.size() == 2 && knows("edge-1") && knows("edge-2");
    });
  }
  [[nodiscard]] bool knows(const std::string& node) const {
    return !mode.state().storages().at(node).status.groups.empty() && !mode.state().life(node).stale;
  }
  static ClusterMode::Options options(std::chrono::milliseconds stale_after) {
    ClusterState::Options state = ClusterCalls::quick();
    state.stale_after = stale_after;
    return {.driver = kDriver,
            .topology_key = kTopologyKey,
            .name_space = "kube-system",
            .identity = "test",
            .state = state,
            .seed = 900};
  }

  /// Calls on another thread while the loop turns here.
  Status wait_for(const std::function<Status()>& rpc) {
    Status out;
    std::atomic<bool> done = false;
    const std::jthread thread([&] {
      out = rpc();
      done = true;
    });
    turn_until([&] { return done.load(); });
    return out;
  }
  Result<csi::v1::Volume> create(const std::string& request) {
    csi::v1::CreateVolumeResponse response;
    const auto wanted = message<csi::v1::CreateVolumeRequest>(request);
    HOLDFAST_CHECK(wait_for([&] { return driver.create_volume(call, wanted, response); }));
    return response.volume();
  }
  Status remove(const std::string& id) {
    csi::v1::DeleteVolumeResponse response;
    csi::v1::DeleteVolumeRequest request;
    request.set_volume_id(id);
    return wait_for([&] { return driver.delete_volume(call, request, response); });
  }
  csi::v1::GetCapacityResponse room(const std::string& request) {
    csi::v1::GetCapacityResponse response;
    const auto wanted = message<csi::v1::GetCapacityRequest>(request);
    REQUIRE(wait_for([&] { return driver.capacity(call, wanted, response); }).has_value());
    return response;
  }
  csi::v1::ListVolumesResponse list(const std::string& request) {
    csi::v1::ListVolumesResponse response;
    const auto wanted = message<csi::v1::ListVolumesRequest>(request);
    REQUIRE(wait_for([&] { return driver.list_volumes(call, wanted, response); }).has_value());
    return response;
  }
  Result<csi::v1::ControllerGetVolumeResponse> get(const std::string& id) {
    csi::v1::ControllerGetVolumeResponse response;
    csi::v1::ControllerGetVolumeRequest request;
    request.set_volume_id(id);
    HOLDFAST_CHECK(wait_for([&] { return driver.volume(call, request, response); }));
    return response;
  }
  /// Of a class and node: what the scheduler is told; null: nothing.
  nlohmann::json told(const std::string& storage_class, const std::string& node) {
    for (const auto& object : server.store().list("storage.k8s.io/csistoragecapacities", "kube-system")) {
      const nlohmann::json& capacity = *object;
      if (capacity["storageClassName"] == storage_class &&
          capacity.value(nlohmann::json::json_pointer("/nodeTopology/matchLabels"), nlohmann::json::object())
                  .value(kTopologyKey, "") == node) {
        return capacity;
      }
    }
    return nullptr;
  }
  std::size_t count_told() {
    return server.store().list("storage.k8s.io/csistoragecapacities", "kube-system").size();
  }
};

}  // namespace holdfast::lvm::test
