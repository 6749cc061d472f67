// csi-lvm as it is shipped, as controller and as node of a cluster, on real LVM; the API server is in this
// process.
#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <thread>

#include "csi-lvm/cluster/storage_names.h"
#include "test/csi-lvm/cluster/storage_kinds.h"
#include "test/csi-lvm/program/real_driver.h"
#include "test/fakes/shell.h"
#include "test/kube_server/api_server_thread.h"

namespace holdfast::lvm::test {
namespace {

using namespace std::chrono_literals;
using holdfast::test::ApiServer;
using holdfast::test::FaultKind;
using holdfast::test::output_of;
using nlohmann::json;

const std::string kControllerSocket = "/run/story/controller.sock";
const std::string kKubeconfig = "/tmp/kubeconfig";
const std::string kObjects = "/apis/storage.holdfast.dev/v1alpha1/logicalvolumes/";
const std::string kStorage = "/apis/storage.holdfast.dev/v1alpha1/nodestorages/edge-1";
constexpr const char* kNode = "edge-1";

void wait_until(const std::function<bool()>& condition) {
  const auto late = std::chrono::steady_clock::now() + 90s;
  while (!condition()) {
    REQUIRE(std::chrono::steady_clock::now() < late);
    std::this_thread::sleep_for(5ms);
  }
}

std::string write_kubeconfig(const std::string& url) {
  std::ofstream(kKubeconfig) << plain_kubeconfig(url);
  return kKubeconfig;
}

/// A call that is under way.
class Asked {
 public:
  explicit Asked(std::function<grpc::Status()> call)
      : thread_([this, call = std::move(call)] { answer_ = call(); }) {}
  grpc::Status answer() {
    if (thread_.joinable()) thread_.join();
    return answer_;
  }

 private:
  grpc::Status answer_;
  std::jthread thread_;
};

/// A cluster of one node.
struct Cluster {
  /// After so many seconds of silence the node is taken for dead; a guest on a busy machine needs some to
  /// start.
  explicit Cluster(const std::string& stale_after = "20")
      : controller(kControllerSocket,
                   {"--mode=controller", kubeconfig, "--node-stale-after=" + stale_after}) {}

  holdfast::test::ApiServerThread server;
  std::string kubeconfig = "--kubeconfig=" + write_kubeconfig(server.url());
  bool defined = define();
  Program controller;
  Program node{kSocket, {"--mode=node", "--node-id=edge-1", kubeconfig, "--heartbeat=1"}};

  bool define() {
    server.with([](ApiServer& api) {
      api.watches().bookmark_period = 100ms;
      define_storage_kinds(api);
      api.put("/api/v1/namespaces/kube-system", {{"metadata", json::object()}});
      api.put("/api/v1/nodes/edge-1", {{"metadata", json::object()}});
    });
    return true;
  }
  Caller caller(const std::string& id) { return Caller({id, "ext4", 8 * kMiB}, kControllerSocket, kSocket); }

  json at(const std::string& path) {
    return server.with([&path](ApiServer& api) {
      const auto found = api.find(path);
      return found ? *found : json();
    });
  }
  json object(const std::string& id) { return at(kObjects + object_name(id, kNode)); }
  std::string state(const std::string& id) {
    const json found = object(id);
    return found.is_null() ? "none" : found.value(json::json_pointer("/status/state"), "");
  }
  void wait_for_storage() {
    wait_until([this] { return at(kStorage).contains(json::json_pointer("/status/groups/0/freeBytes")); });
  }
  /// What the node writes about its volumes, or metadata of them, is not answered from now on.
  void silence_node(bool silent) {
    server.with([silent](ApiServer& api) {
      if (!silent) return api.clear_faults();
      api.fault({.kind = FaultKind::kSilence, .verb = "patch", .plural = "logicalvolumes", .times = -1});
    });
  }
  std::set<std::string> objects() {
    std::set<std::string> names;
    for (const auto& each : server.with(
             [](ApiServer& api) { return api.store().list("storage.holdfast.dev/logicalvolumes", ""); })) {
      names.insert((*each)["spec"]["volumeName"].get<std::string>());
    }
    return names;
  }
};

bool has_device(const std::string& id) { return fs::exists("/dev/mapper/suite-" + id); }

std::set<std::string> volumes() {
  std::istringstream lines(
      output_of("lvs --noheadings -o lv_name --config 'activation/udev_sync=0 devices/use_devicesfile=1' "
                "--devicesfile holdfast.devices suite"));
  std::set<std::string> names;
  for (std::string name; lines >> name;) names.insert(name);
  return names;
}

TEST_CASE("a volume of a cluster is made, used and deleted, and is there while nobody answers", "[cluster]") {
  Cluster cluster;
  cluster.wait_for_storage();
  Caller caller = cluster.caller("pvc1");
  for (int again = 0; again < 2; ++again) Caller::expect(caller.create());
  CHECK(cluster.state("pvc1") == "ready");
  CHECK(volumes() == std::set<std::string>{"pvc1"});
  Caller::expect(caller.stage());
  Caller::expect(caller.publish());
  wait_until([&] { return cluster.object("pvc1").value("/status/published"_json_pointer, false); });
  const std::string metadata = cluster.at(kStorage)["status"]["groups"][0].value("metadata", "");
  CHECK(metadata.find("pvc1 {") != std::string::npos);
  Caller::expect(caller.expand());

  // The API server is away, and the node starts: what it has to do for its pods needs nothing of it.
  cluster.server.with([](ApiServer& api) {
    api.fault({.kind = FaultKind::kDrop, .times = -1});
    api.http().drop_all();
  });
  cluster.node.die();
  output_of("umount " + kTarget + " " + kStaging);
  cluster.node.start();
  Caller::expect(caller.stage());
  Caller::expect(caller.publish());
  const json before = cluster.at(kStorage)["status"]["heartbeats"];
  cluster.server.with([](ApiServer& api) { api.clear_faults(); });
  wait_until([&] { return cluster.at(kStorage)["status"]["heartbeats"] != before; });

  Caller::expect(caller.unpublish());
  Caller::expect(caller.unstage());
  for (int again = 0; again < 2; ++again) Caller::expect(caller.remove());
  CHECK(cluster.objects().empty());
  CHECK(volumes().empty());
}

TEST_CASE("a node that dies at any step of a volume's making goes on when it returns", "[dies]") {
  Cluster cluster;
  cluster.wait_for_storage();
  struct Step {
    std::string id;
    bool silent;  // what it writes is lost
    std::function<bool()> reached;
  };
  const Step steps[] = {
      {"unseen", false, nullptr},  // it is dead before the object is there
      {"seen", false, [&] { return cluster.state("seen") != "none"; }},
      {"making", false, [] { return has_device("making"); }},
      {"made", true, [] { return volumes().contains("made"); }},
  };
  std::set<std::string> ids;
  for (const Step& step : steps) {
    INFO(step.id);
    ids.insert(step.id);
    if (step.silent) cluster.silence_node(true);
    if (!step.reached) cluster.node.die();
    Caller caller = cluster.caller(step.id);
    Asked asked([&caller] { return caller.create(); });
    wait_until(step.reached ? step.reached : [&] { return cluster.state(step.id) != "none"; });
    if (step.reached) cluster.node.die();
    cluster.silence_node(false);
    cluster.node.start();
    Caller::expect(asked.answer());
    CHECK(cluster.state(step.id) == "ready");
  }
  CHECK(cluster.objects() == ids);
  CHECK(volumes() == ids);
  for (const Step& step : steps) Caller::expect(cluster.caller(step.id).remove());
  CHECK(cluster.objects().empty());
  CHECK(volumes().empty());
}

TEST_CASE("a node that dies at any step of a volume's end leaves nothing", "[dies]") {
  Cluster cluster;
  cluster.wait_for_storage();
  struct Step {
    std::string id;
    bool silent;
    std::function<bool()> reached;
  };
  const Step steps[] = {
      {"unseen", false, nullptr},
      {"going", false,
       [&] { return cluster.object("going").contains("/metadata/deletionTimestamp"_json_pointer); }},
      {"gone", true, [] { return !volumes().contains("gone"); }},
  };
  for (const Step& step : steps) {
    INFO(step.id);
    Caller caller = cluster.caller(step.id);
    Caller::expect(caller.create());
    if (!step.reached) cluster.node.die();
    Asked asked([&caller] { return caller.remove(); });
    wait_until([&] { return cluster.object(step.id).contains("/metadata/deletionTimestamp"_json_pointer); });
    if (step.silent) cluster.silence_node(true);
    if (step.reached) wait_until(step.reached);
    if (step.reached) cluster.node.die();
    cluster.silence_node(false);
    cluster.node.start();
    Caller::expect(asked.answer());
    CHECK(cluster.objects().empty());
    CHECK(volumes().empty());
  }
}

TEST_CASE("the claim of a node that died with its volume made is bound elsewhere, and the volume goes",
          "[dies]") {
  Cluster cluster("4");
  cluster.wait_for_storage();
  cluster.silence_node(true);
  Caller caller = cluster.caller("unwanted");
  Asked asked([&caller] { return caller.create(); });
  wait_until([] { return volumes().contains("unwanted"); });
  cluster.node.die();
  cluster.silence_node(false);
  CHECK(asked.answer().error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(cluster.caller("another").create().error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(cluster.objects() == std::set<std::string>{"unwanted"});
  cluster.node.start();
  wait_until([&] { return cluster.objects().empty(); });
  CHECK(volumes().empty());
}

}  // namespace
}  // namespace holdfast::lvm::test
