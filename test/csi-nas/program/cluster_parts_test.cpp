// csi-nas's two halves in a cluster, as a program hosts them, before an API server in memory.
#include "common/base/exec.h"
#include "common/base/worker.h"
#include "common/csi/proto/csi.pb.h"
#include "csi-nas/cluster/node_pool.h"
#include "csi-nas/program/controller_plugin.h"
#include "csi-nas/program/nas_plugin.h"
#include "test/catch.h"
#include "test/csi-nas/cluster/site_scene.h"
#include "test/csi/driver_tests.h"

namespace holdfast::nas::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr const char* kPoolKey = "apps.openyurt.io/nodepool";
constexpr const char* kNode = "/api/v1/nodes/edge-1";

struct Host : SiteScene {
  std::unique_ptr<Worker> worker = std::make_unique<Worker>(*loop);
  SystemExecutor executor;
  std::unique_ptr<csi::HostedDriver> driver;

  Host() = default;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host() {
    with([this] {
      driver.reset();
      worker.reset();
    });
  }
  csi::HostContext context() { return {*loop, *worker, files, executor, clock, log, metrics}; }
  std::optional<kube::Config> cluster() {
    kube::Config config;
    config.server = server->url();
    return config;
  }
  static csi::Profile profile(bool tells_pool) {
    csi::Profile out{.driver_name = "nas.example.com", .kind = csi::DriverKind::kNas};
    if (tells_pool) out.topology_keys = {kPoolKey};
    return out;
  }
  void put_in(const std::string& pool) {
    with([&] { server->put(kNode, {{"metadata", {{"labels", {{kPoolKey, pool}}}}}}); });
  }
  void start_node(bool tells_pool) {
    std::filesystem::create_directories(folder / "kubelet");
    with([&] {
      driver = make_nas_plugin(context(), {.profile = profile(tells_pool),
                                           .mode = Mode::kNode,
                                           .node_id = "edge-1",
                                           .kubelet_dir = folder / "kubelet",
                                           .state_dir = folder / "state",
                                           .socket = {},
                                           .nascmd = "/bin/true",
                                           .nas_directories = "/bin/true",
                                           .rpc_slots = 0,
                                           .cloud = {},
                                           .cluster = cluster()})
                   .value();
    });
  }
  Result<std::map<std::string, std::string>> info() {
    csi::v1::NodeGetInfoResponse response;
    HOLDFAST_CHECK(driver->served().node->info(csi::test::PatientCall(), {}, response));
    CHECK(response.node_id() == "edge-1");
    const auto& segments = response.accessible_topology().segments();
    return std::map<std::string, std::string>(segments.begin(), segments.end());
  }
};

TEST_CASE_METHOD(Host,
                 "a controller in a cluster is ready when the records are read, and keeps its own there",
                 "[nas site]") {
  SceneNode one(*this, "edge-1", "hangzhou-1");
  one.start();
  with([&] {
    driver = make_controller_plugin(context(), {.profile = profile(true),
                                                .state_dir = folder / "state",
                                                .socket = folder / "csi.sock",
                                                .nascmd = "/bin/true",
                                                .nas_directories = "/bin/true",
                                                .rpc_slots = 0,
                                                .cloud = {},
                                                .cluster = cluster()})
                 .value();
    CHECK_FALSE(driver->ready());
  });
  wait_until([this] { return driver->ready(); });
  const csi::ServedDriver served = driver->served();
  CHECK(served.capabilities.topology);
  const auto request = csi::test::message<csi::v1::CreateVolumeRequest>(
      "name: 'pvc-1' volume_capabilities { mount {} }"
      " parameters { key: 'server' value: '10.0.0.5:/exports' } parameters { key: 'site' value: 'hangzhou-1' "
      "}");
  csi::v1::CreateVolumeResponse response;
  Status made = served.controller->create_volume(csi::test::PatientCall(), request, response);
  for (int tries = 0; !made && made.error().code == Code::kAborted && tries < 10; ++tries) {
    made = served.controller->create_volume(csi::test::PatientCall(), request, response);
  }
  REQUIRE(made);
  CHECK(response.volume().accessible_topology(0).segments().at(kPoolKey) == "hangzhou-1");
  CHECK(with([this] { return at(std::string(kVolumesPath) + "/pvc-1"); })["spec"]["ready"] == true);
  bool ended = false;
  with([&] { driver->end([&] { ended = true; }); });
  CHECK(ended);
  csi::test::refuses(
      served.controller->create_volume(
          csi::test::PatientCall(),
          csi::test::message<csi::v1::CreateVolumeRequest>(
              "name: 'pvc-2' volume_capabilities { mount {} } parameters { key: 'server' value: "
              "'10.0.0.5:/exports' } parameters { key: 'site' value: 'hangzhou-1' }"),
          response),
      Code::kUnavailable);
}

TEST_CASE_METHOD(Host, "a node tells its pool where the profile asks for it, and takes its site's work",
                 "[nas site]") {
  SECTION("told") {
    with([this] {
      server->fault({.kind = holdfast::test::FaultKind::kDrop, .plural = "nodes", .times = -1});
    });
    put_in("hangzhou-1");
    start_node(true);
    CHECK(driver->served().capabilities.topology);
    csi::test::refuses(info(), Code::kUnavailable);
    with([this] { server->clear_faults(); });
    wait_until([this] { return info().has_value(); });
    CHECK(info().value() == std::map<std::string, std::string>{{kPoolKey, "hangzhou-1"}});
  }
  SECTION("not asked for") {
    put_in("hangzhou-1");
    start_node(false);
    CHECK_FALSE(driver->served().capabilities.topology);
    CHECK(info().value().empty());
  }
  SceneController controller(*this);
  wait_until([&] {
    static_cast<void>(at(kNode));
    return log.count("the node works for a site") == 1;
  });
  REQUIRE_FALSE(controller.volumes.create(SceneController::wish("pvc-1", "hangzhou-1"), 50ms));
  wait_until([this] {
    const auto tasks = all(kTasksPath);
    return !tasks.empty() && tasks.front().value("/status/holder"_json_pointer, "") == "edge-1";
  });
}

TEST_CASE_METHOD(Host, "a node keeps its pool for starts without an API server, and follows a change",
                 "[nas site]") {
  std::vector<std::string> found;
  const auto way = with([this] { return another_way(kNodeAgent); });
  const auto client = with([&] { return client_of(*way); });
  std::unique_ptr<NodePool> pool;
  const auto start = [&] {
    with([&] {
      pool = std::make_unique<NodePool>(
          NodePool::Context{.loop = *loop, .client = *client, .files = files, .log = log}, "edge-1",
          folder.path(), [&found](const std::string& name) { found.push_back(name); });
      pool->start();
    });
  };
  put_in("hangzhou-1");
  start();
  wait_until([&] { return !found.empty(); });
  CHECK(pool->name().value() == "hangzhou-1");
  with([this] { server->fault({.kind = holdfast::test::FaultKind::kDrop, .times = -1}); });
  start();
  CHECK(pool->name().value() == "hangzhou-1");
  with([this] { server->clear_faults(); });
  wait_until([&] { return found.size() == 2; });
  put_in("beijing-2");
  start();
  wait_until([&] { return found.size() == 3; });
  CHECK(found == std::vector<std::string>{"hangzhou-1", "hangzhou-1", "beijing-2"});
  with([this] { server->remove(kNode); });
  start();
  wait_until([this] { return log.count("does not tell the node's pool") == 1; });
  CHECK(pool->name().value() == "beijing-2");
  with([&] { pool.reset(); });
}

}  // namespace
}  // namespace holdfast::nas::test
