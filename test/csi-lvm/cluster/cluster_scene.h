#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "csi-lvm/cluster/cluster_volumes.h"
#include "csi-lvm/cluster/volume_agent.h"
#include "test/csi-lvm/lvm/fake_lvm.h"
#include "test/fakes/log_lines.h"
#include "test/kube_server/api_server.h"
#include "test/kube_server/http_scene.h"

namespace holdfast::lvm::test {

inline constexpr std::uint64_t kMiB = 1 << 20;
inline constexpr const char* kClusterUid = "cluster-1";
inline constexpr const char* kTopologyKey = "kubernetes.io/hostname";
inline constexpr const char* kVolumesPath = "/apis/storage.holdfast.dev/v1alpha1/logicalvolumes/";
inline constexpr const char* kStoragesPath = "/apis/storage.holdfast.dev/v1alpha1/nodestorages/";

class NoCleaner final : public ExtentCleaner {
 public:
  Status zero_superblocks(const VolumeName& /*name*/) override { return {}; }
  Status wipe(const VolumeName& /*name*/, Lvm::Patience /*patience*/) override { return {}; }
  void forget(const VolumeName& /*name*/) override {}
};

class NoCopier final : public ContentCopier {
 public:
  Status copy(const ContentOrder& /*order*/, Lvm::Patience /*patience*/) override { return {}; }
};

/// By these User-Agents controllers and nodes are told apart in the server's requests.
inline constexpr const char* kControllerAgent = "csi-lvm";
inline constexpr const char* kNodeAgent = "csi-lvm-node";

/// An API server that knows our kinds, and a way to it.
struct ClusterScene : holdfast::test::HttpScene {
  holdfast::test::ApiServer server{*loop};
  holdfast::test::LogLines log;
  std::unique_ptr<kube::ObjectClient> client;
  std::unique_ptr<kube::CurlHttp> watches;  ///< of the controller

  ClusterScene();
  [[nodiscard]] std::unique_ptr<kube::CurlHttp> another_way(const std::string& user_agent);
  /// null: there is none.
  [[nodiscard]] nlohmann::json at(const std::string& path);
  [[nodiscard]] nlohmann::json volume_object(const std::string& volume, const std::string& node);
  [[nodiscard]] nlohmann::json storage(const std::string& node) { return at(kStoragesPath + node); }
  [[nodiscard]] std::size_t count_requests(const std::string& begin);
};

/// A node with the group "vg" of two disks, 100 extents of 4 MiB each, and its agent while it lives.
struct ClusterNode {
  ClusterNode(ClusterScene& scene, std::string node_name);
  void start();
  /// As without power: what runs at LVM ends where it is, and nothing more is done.
  void die();
  [[nodiscard]] const LogicalVolume* volume(const std::string& id);
  void tag_published(const std::string& id);

  ClusterScene& scene;
  std::string name;
  std::chrono::milliseconds heartbeat{50};  ///< from the next start()
  std::uint64_t lives = 0;
  FakeLvm lvm;
  NoCleaner cleaner;
  NoCopier copier;
  CapacityBook book{PoolLimits{}, {}};
  LocalVolumes volumes;
  Inventory seen;
  std::unique_ptr<kube::CurlHttp> watches;
  std::unique_ptr<kube::CurlHttp> writes;
  std::unique_ptr<kube::ObjectClient> client;
  std::unique_ptr<VolumeAgent> agent;
};

/// The controller's half, and calls of it that are waited for.
struct ClusterCalls {
  using Answer = Result<LogicalVolumeObject>;

  explicit ClusterCalls(ClusterScene& scene, ClusterState::Options options = quick());
  [[nodiscard]] static ClusterState::Options quick();
  [[nodiscard]] static VolumeWish wish(const std::string& volume, std::uint64_t bytes,
                                       std::vector<std::string> nodes);
  Answer create(const VolumeWish& wanted, std::chrono::milliseconds patience = std::chrono::seconds(60));
  Answer remove(const std::string& volume, std::chrono::milliseconds patience = std::chrono::seconds(60),
                VolumeKind kind = VolumeKind::kVolume);
  Answer grow(const std::string& volume, std::uint64_t bytes, std::uint64_t limit = 0);
  /// When the node's NodeStorage is known, and is fresh or not.
  void wait_for_node(const std::string& node, bool stale);

  ClusterScene& scene;
  ClusterState state;
  ClusterVolumes volumes;

 private:
  Answer answer_of(const std::function<void(ClusterVolumes::Done)>& begin);
};

}  // namespace holdfast::lvm::test
