#include "csi-lvm/program/node_cluster.h"

#include <fstream>

#include "common/base/state_file.h"
#include "csi-lvm/cluster/storage_names.h"
#include "csi-lvm/volumes/volume_tags.h"
#include "test/catch.h"
#include "test/csi-lvm/cluster/cluster_scene.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::lvm::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

// A node with LVM in memory; what it knows of its cluster is in a folder.
struct Site : ClusterScene {
  holdfast::test::TemporaryFolder folder;
  ClusterNode node{*this, "edge-1"};
  csi::VolumeHolds holds;
  Worker worker{*loop};
  SystemExecutor executor;
  csi::HostContext host{*loop, worker, files, executor, clock, log, metrics};
  std::unique_ptr<NodeCluster> cluster;

  Site() { server.put("/api/v1/namespaces/kube-system", {{"metadata", json::object()}}); }

  std::string uid() { return at("/api/v1/namespaces/kube-system")["metadata"]["uid"]; }
  std::string kept() { return NodeCluster::kept_uid(files, folder.path(), log).value(); }
  void connect() {
    kube::Config config;
    config.server = server.url();
    cluster =
        NodeCluster::connect(
            host, config,
            NodeCluster::Parts{.lvm = node.lvm, .volumes = node.volumes, .book = node.book, .holds = holds},
            {.folder = folder.path(),
             .node = node.name,
             .topology = {{kTopologyKey, node.name}},
             .spare_bytes = {},
             .heartbeat = 50ms},
            kept())
            .value();
    cluster->start();
  }
  void ask_for_volume(const std::string& volume) {
    server.put(
        kVolumesPath + object_name(volume, node.name),
        {{"metadata", {{"labels", {{kNodeLabel, node_hash(node.name)}}}, {"finalizers", {kVolumeFinalizer}}}},
         {"spec",
          {{"node", node.name},
           {"volumeName", volume},
           {"requiredBytes", 4 * kMiB},
           {"parameters", {{"vgName", "vg"}}}}}});
  }
  bool is_ready(const std::string& volume) {
    return volume_object(volume, node.name).value("/status/state"_json_pointer, "") == "ready";
  }
};

TEST_CASE_METHOD(Site, "a node reads which cluster it is, keeps that, and makes volumes of it",
                 "[lvm cluster]") {
  std::filesystem::create_directories(NodeCluster::backup_folder(folder.path()));
  std::ofstream(NodeCluster::backup_folder(folder.path()) / "vg") << "vg {}";
  CHECK(kept().empty());
  connect();
  ask_for_volume("pvc-1");
  turn_until([this] { return is_ready("pvc-1"); });
  CHECK(kept() == uid());
  CHECK(node.volume("pvc-1")->tag_value(kClusterTag) == uid());
  turn_until([this] { return storage("edge-1").contains("/status/groups/0"_json_pointer); });
  CHECK(storage("edge-1")["status"]["groups"][0]["metadata"] == "vg {}");
  CHECK(storage("edge-1")["spec"]["topology"][kTopologyKey] == "edge-1");
  NewVolume orphan{.name = {"vg", "pvc-2"}, .size_bytes = 4 * kMiB, .pool = {}, .tags = {}};
  orphan.tags = {tag(kStateTag, kReady), tag(kClusterTag, uid())};
  REQUIRE(node.lvm.create(orphan, 1s).has_value());
  cluster->look_soon();
  turn_until([this] { return cluster->orphan_count() == 1; });
}

TEST_CASE_METHOD(Site, "without an API server a node knows its cluster still, and finds it when it is back",
                 "[lvm cluster]") {
  connect();
  turn_until([this] { return kept() == uid(); });
  server.fault({.kind = holdfast::test::FaultKind::kDrop, .verb = {}, .plural = {}, .times = -1});
  connect();
  CHECK(kept() == uid());
  cluster->look_soon();
  CHECK(cluster->orphan_count() == 0);
  server.clear_faults();
  ask_for_volume("pvc-1");
  turn_until([this] { return is_ready("pvc-1"); });
  CHECK(log.count("another cluster") == 0);
}

TEST_CASE_METHOD(Site, "a node that has come to another cluster says so, and keeps the new one",
                 "[lvm cluster]") {
  REQUIRE(write_state(files, folder / "cluster", {.name = "cluster-uid", .version = 1}, "old").has_value());
  CHECK(kept() == "old");
  connect();
  turn_until([this] { return kept() == uid(); });
  CHECK(log.count("has come to another cluster") == 1);
}

TEST_CASE_METHOD(Site, "a uid that was damaged is asked for again", "[lvm cluster]") {
  std::ofstream(folder / "cluster") << "torn";
  CHECK(kept().empty());
  CHECK(log.count("the cluster's uid was lost") == 1);
  connect();
  turn_until([this] { return kept() == uid(); });
}

TEST_CASE_METHOD(Site, "what the driver works on waits, and is done when the driver has ended",
                 "[lvm cluster]") {
  auto held = holds.hold(csi::VolumeHolds::Kind::kVolume, "pvc-1", "NodePublishVolume").value();
  connect();
  ask_for_volume("pvc-1");
  ask_for_volume("pvc-2");
  turn_until([this] { return is_ready("pvc-2") && log.count("volume not done") > 0; });
  CHECK(node.volume("pvc-1") == nullptr);
  held.release();
  turn_until([this] { return is_ready("pvc-1"); });
  CHECK(holds.count() == 0);
}

}  // namespace
}  // namespace holdfast::lvm::test
