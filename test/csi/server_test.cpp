#include "common/csi/server.h"

#include <sys/stat.h>

#include <atomic>
#include <future>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <thread>
#include <vector>

#include "common/csi/proto/csi.grpc.pb.h"
#include "common/csi/proto/pluginregistration.grpc.pb.h"
#include "test/catch.h"
#include "test/fakes/log_lines.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::csi {
namespace {

namespace fs = std::filesystem;

struct SlowNode final : NodeDriver {
  Status capabilities(const Call& /*call*/, const v1::NodeGetCapabilitiesRequest& /*request*/,
                      v1::NodeGetCapabilitiesResponse& response) override {
    response.add_capabilities()->mutable_rpc()->set_type(v1::NodeServiceCapability::RPC::EXPAND_VOLUME);
    return {};
  }
  Status info(const Call& call, const v1::NodeGetInfoRequest& /*request*/,
              v1::NodeGetInfoResponse& response) override {
    time_left = call.time_left();
    response.set_node_id("node-1");
    return {};
  }
  Status unpublish_volume(const Call& call, const v1::NodeUnpublishVolumeRequest& /*request*/,
                          v1::NodeUnpublishVolumeResponse& /*response*/) override {
    ++inside;
    inside.notify_all();
    go_on.wait(false);
    cancelled = call.cancelled();
    return fail(Code::kUnavailable, "the server of the share does not answer");
  }

  std::atomic<int> inside{0};
  std::atomic<bool> go_on{false};
  std::atomic<bool> cancelled{false};
  std::chrono::nanoseconds time_left{};
};

/// A driver served as csi-node does it, with an event loop that turns on a thread of its own.
// What gRPC's generated code calls a service's caller.
template <class Service>
using Client = typename Service::Stub;

struct Scene {
  Scene() {
    fs::create_directories(kubelet / "plugins_registry");
    driver.profile = Profile{.driver_name = "driver.example.com", .topology_keys = {"example.com/zone"}};
    driver.capabilities.topology = true;
    driver.socket = csi_socket(kubelet, driver.profile);
    driver.registration_socket = registration_socket(kubelet, driver.profile);
    driver.endpoint = "/host" + driver.socket.native();
    driver.probe = [] { return Result<bool>(true); };
    driver.node = &node;
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;
  ~Scene() {
    loop->post([this] { loop->stop(); });
    if (turning.joinable()) turning.join();
    server.reset();
  }

  void start() {
    server = DriverServer::start({*loop, files, log, metrics, clock, holds}, driver).value();
    turning = std::thread([this] { static_cast<void>(loop->run()); });
  }
  /// Runs `work` on the loop's thread.
  Status on_loop(const std::function<Status()>& work) {
    std::promise<Status> done;
    loop->post([&] { done.set_value(work()); });
    return done.get_future().get();
  }
  template <class Service>
  static std::unique_ptr<Client<Service>> client(const fs::path& path) {
    return Service::NewStub(grpc::CreateChannel("unix:" + path.native(), grpc::InsecureChannelCredentials()));
  }
  [[nodiscard]] std::unique_ptr<Client<v1::Node>> node_client() const {
    return client<v1::Node>(driver.socket);
  }
  template <class Method, class To, class Request, class Response>
  static grpc::Status call(To& to, Method method, const Request& request, Response& response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    context.set_wait_for_ready(true);
    return (to.*method)(&context, request, &response);
  }

  holdfast::test::TemporaryFolder folder;
  fs::path kubelet = folder / "kubelet";
  SystemClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  PosixFiles files;
  holdfast::test::LogLines log;
  Metrics metrics;
  VolumeHolds holds;
  SlowNode node;
  ServedDriver driver;
  std::unique_ptr<DriverServer> server;
  std::thread turning;
};

TEST_CASE("A driver tells who it is and what it can do", "[csi]") {
  Scene scene;
  scene.start();
  const auto identity = Scene::client<v1::Identity>(scene.driver.socket);
  v1::GetPluginInfoResponse info;
  REQUIRE(
      Scene::call(*identity, &Client<v1::Identity>::GetPluginInfo, v1::GetPluginInfoRequest(), info).ok());
  CHECK(info.name() == "driver.example.com");
  CHECK_FALSE(info.vendor_version().empty());

  v1::GetPluginCapabilitiesResponse capabilities;
  REQUIRE(Scene::call(*identity, &Client<v1::Identity>::GetPluginCapabilities,
                      v1::GetPluginCapabilitiesRequest(), capabilities)
              .ok());
  CHECK(capabilities.ShortDebugString() ==
        "capabilities { service { type: CONTROLLER_SERVICE } } capabilities { service { type: "
        "VOLUME_ACCESSIBILITY_CONSTRAINTS } } capabilities { volume_expansion { type: ONLINE } }");

  v1::ProbeResponse probe;
  REQUIRE(Scene::call(*identity, &Client<v1::Identity>::Probe, v1::ProbeRequest(), probe).ok());
  CHECK(probe.ready().value());
}

TEST_CASE("Calls reach the driver, with their deadline, and errors come back with code and words", "[csi]") {
  Scene scene;
  scene.node.go_on = true;
  scene.start();
  const auto client = scene.node_client();
  v1::NodeGetInfoResponse info;
  REQUIRE(Scene::call(*client, &Client<v1::Node>::NodeGetInfo, v1::NodeGetInfoRequest(), info).ok());
  CHECK(info.node_id() == "node-1");
  CHECK(scene.node.time_left > std::chrono::seconds(1));
  CHECK(scene.node.time_left < std::chrono::seconds(31));

  v1::NodeUnpublishVolumeRequest unpublish;
  unpublish.set_volume_id("pvc-1");
  unpublish.set_target_path("/pods/1/mount");
  v1::NodeUnpublishVolumeResponse unpublished;
  const grpc::Status refused =
      Scene::call(*client, &Client<v1::Node>::NodeUnpublishVolume, unpublish, unpublished);
  CHECK(refused.error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK(refused.error_message() == "the server of the share does not answer");

  unpublish.set_target_path("pods/../1");
  CHECK(Scene::call(*client, &Client<v1::Node>::NodeUnpublishVolume, unpublish, unpublished).error_code() ==
        grpc::StatusCode::INVALID_ARGUMENT);
  v1::NodeStageVolumeResponse staged;
  v1::NodeStageVolumeRequest stage;
  stage.set_volume_id("pvc-1");
  stage.set_staging_target_path("/staging");
  stage.mutable_volume_capability()->mutable_block();
  stage.mutable_volume_capability()->mutable_access_mode()->set_mode(
      v1::VolumeCapability::AccessMode::SINGLE_NODE_WRITER);
  CHECK(Scene::call(*client, &Client<v1::Node>::NodeStageVolume, stage, staged).error_code() ==
        grpc::StatusCode::UNIMPLEMENTED);
  const auto controller = Scene::client<v1::Controller>(scene.driver.socket);
  v1::ControllerGetCapabilitiesResponse none;
  CHECK(Scene::call(*controller, &Client<v1::Controller>::ControllerGetCapabilities,
                    v1::ControllerGetCapabilitiesRequest(), none)
            .error_code() == grpc::StatusCode::UNIMPLEMENTED);
}

TEST_CASE("Kubelet registers the driver by the other socket, and both are only for their owner", "[csi]") {
  Scene scene;
  scene.start();
  for (const fs::path& path : {scene.driver.socket, *scene.driver.registration_socket}) {
    CHECK((fs::status(path).permissions() & fs::perms::mask) ==
          (fs::perms::owner_read | fs::perms::owner_write));
  }
  using Registration = pluginregistration::Registration;
  const auto client = Scene::client<Registration>(*scene.driver.registration_socket);
  pluginregistration::PluginInfo info;
  REQUIRE(Scene::call(*client, &Client<Registration>::GetInfo, pluginregistration::InfoRequest(), info).ok());
  CHECK(info.type() == "CSIPlugin");
  CHECK(info.name() == "driver.example.com");
  CHECK(info.endpoint() == "/host" + scene.driver.socket.native());
  REQUIRE(info.supported_versions_size() == 1);
  CHECK(info.supported_versions(0) == "1.0.0");

  pluginregistration::RegistrationStatus told;
  told.set_plugin_registered(true);
  pluginregistration::RegistrationStatusResponse response;
  REQUIRE(Scene::call(*client, &Client<Registration>::NotifyRegistrationStatus, told, response).ok());
  REQUIRE(scene.on_loop([] { return Status(); }).has_value());
  CHECK(scene.metrics.render().find("holdfast_csi_registered{driver_name=\"driver.example.com\"} 1") !=
        std::string::npos);
}

TEST_CASE("A registry that is made anew gets the socket again, and calls go on", "[csi]") {
  Scene scene;
  scene.start();
  const fs::path registry = scene.kubelet / "plugins_registry";
  // at once: emptied name by name it would get its socket again in between
  fs::rename(registry, scene.folder / "old");
  fs::create_directory(registry);
  using Registration = pluginregistration::Registration;
  const auto client = Scene::client<Registration>(*scene.driver.registration_socket);
  pluginregistration::PluginInfo info;
  CHECK(Scene::call(*client, &Client<Registration>::GetInfo, pluginregistration::InfoRequest(), info).ok());
  v1::NodeGetInfoResponse node;
  CHECK(
      Scene::call(*scene.node_client(), &Client<v1::Node>::NodeGetInfo, v1::NodeGetInfoRequest(), node).ok());
}

TEST_CASE("The end removes both sockets, waits for calls, and names those that hang", "[csi]") {
  Scene scene;
  scene.start();
  const auto client = scene.node_client();
  v1::NodeUnpublishVolumeRequest request;
  request.set_volume_id("pvc-1");
  request.set_target_path("/pods/1/mount");
  grpc::Status answered;
  std::thread caller([&] {
    v1::NodeUnpublishVolumeResponse response;
    answered = Scene::call(*client, &Client<v1::Node>::NodeUnpublishVolume, request, response);
  });
  scene.node.inside.wait(0);

  const Status hanging = scene.on_loop([&] { return scene.server->stop(std::chrono::milliseconds(1)); });
  REQUIRE_FALSE(hanging.has_value());
  CHECK(hanging.error().code == Code::kDeadlineExceeded);
  CHECK(hanging.error().message == "driver.example.com: runs still: NodeUnpublishVolume pvc-1");
  CHECK_FALSE(fs::exists(scene.driver.socket));
  CHECK_FALSE(fs::exists(*scene.driver.registration_socket));
  CHECK(fs::is_empty(scene.driver.socket.parent_path()));

  scene.node.go_on = true;
  scene.node.go_on.notify_all();
  CHECK(scene.on_loop([&] { return scene.server->stop(std::chrono::seconds(20)); }).has_value());
  caller.join();
  CHECK(answered.error_message() == "the server of the share does not answer");
}

TEST_CASE("Calls that block hold up no others", "[csi]") {
  constexpr int kBlocked = 100;  // so many the provisioner sends
  Scene scene;
  scene.start();
  const auto client = scene.node_client();
  std::atomic<int> answered{0};
  std::vector<std::thread> callers;
  callers.reserve(kBlocked);
  for (int i = 0; i < kBlocked; ++i) {
    callers.emplace_back([&, i] {
      v1::NodeUnpublishVolumeRequest request;
      request.set_volume_id("pvc-" + std::to_string(i));
      request.set_target_path("/pods/1/mount");
      v1::NodeUnpublishVolumeResponse response;
      const grpc::Status done =
          Scene::call(*client, &Client<v1::Node>::NodeUnpublishVolume, request, response);
      if (done.error_code() == grpc::StatusCode::UNAVAILABLE) ++answered;
    });
  }
  for (int now = 0; (now = scene.node.inside) < kBlocked;) scene.node.inside.wait(now);
  v1::ProbeResponse probe;
  const auto identity = Scene::client<v1::Identity>(scene.driver.socket);
  CHECK(Scene::call(*identity, &Client<v1::Identity>::Probe, v1::ProbeRequest(), probe).ok());
  CHECK(scene.holds.count() == kBlocked);

  scene.node.go_on = true;
  scene.node.go_on.notify_all();
  for (std::thread& caller : callers) caller.join();
  CHECK(answered == kBlocked);
  CHECK(scene.holds.count() == 0);
}

TEST_CASE("A place that is taken is an error of the start", "[csi]") {
  Scene scene;
  fs::create_directories(scene.driver.socket);
  const Result<std::unique_ptr<DriverServer>> started = DriverServer::start(
      {*scene.loop, scene.files, scene.log, scene.metrics, scene.clock, scene.holds}, scene.driver);
  REQUIRE_FALSE(started.has_value());
  CHECK(started.error().code == Code::kFailedPrecondition);
}

}  // namespace
}  // namespace holdfast::csi
