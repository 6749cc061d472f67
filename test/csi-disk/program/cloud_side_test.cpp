#include "csi-disk/program/cloud_side.h"

#include <fstream>

#include "common/csi/proto/csi.pb.h"
#include "csi-disk/backend/plugin/plugin_server.h"
#include "test/catch.h"
#include "test/csi-disk/backend/disk_region.h"
#include "test/fakes/log_lines.h"
#include "test/fakes/wanted_metrics.h"

namespace holdfast::disk {
namespace {

class PatientCall final : public csi::Call {
 public:
  [[nodiscard]] bool cancelled() const override { return false; }
  [[nodiscard]] std::chrono::nanoseconds time_left() const override { return std::chrono::seconds(20); }
};

// Controllers of several clusters, all with one account.
struct AccountScene : DiskRegion {
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  Worker worker{*loop};
  PosixFiles files;
  SystemExecutor executor;
  test::LogLines log;
  Metrics metrics;
  csi::HostContext host{*loop, worker, files, executor, clock, log, metrics};
  Options options;

  AccountScene() {
    options.cloud = {.region = "sim-1", .endpoint = cloud.url(), .credentials = folder / "account"};
    std::ofstream(folder / "account") << R"({"AccessKeyId": "sim-id", "AccessKeySecret": "sim-secret"})";
  }
  std::unique_ptr<CloudSide> controller_of(const std::string& cluster) {
    return CloudSide::make(host, options, disk_profile("sim").value(), Backend::kAlibaba, cluster).value();
  }
  static constexpr std::chrono::milliseconds kPatient = std::chrono::seconds(20);
  std::string create(CloudSide& controller, const std::string& name,
                     csi::v1::CreateVolumeRequest request = {}) {
    request.set_name(name);
    request.mutable_capacity_range()->set_required_bytes(std::int64_t{20} << 30);
    request.add_volume_capabilities()->mutable_mount();
    (*request.mutable_parameters())["type"] = "cloud_essd";
    csi::v1::CreateVolumeResponse response;
    const PatientCall call;
    const Status done = controller.driver().create_volume(call, request, response);
    INFO((done ? "" : done.error().message));
    REQUIRE(done);
    return response.volume().volume_id();
  }
};

TEST_CASE_METHOD(AccountScene, "clusters that have volumes of the same name in one account do not meet",
                 "[disk]") {
  const auto one = controller_of("one");
  const auto two = controller_of("two");
  const std::string first = create(*one, "pvc-1");
  CHECK(create(*two, "pvc-1") != first);
  CHECK(create(*controller_of("one"), "pvc-1") == first);
  CHECK(test::metrics_not_in(metrics.render(), "holdfast_disk").empty());
}

TEST_CASE_METHOD(AccountScene, "a disk that is not where its class has disks is told in the log, and counted",
                 "[disk]") {
  const auto side = controller_of("one");
  const csi::Profile profile = disk_profile("sim").value();
  csi::v1::CreateVolumeRequest request;
  (*request.mutable_parameters())["zoneId"] = "elsewhere";
  auto& reached = *request.mutable_accessibility_requirements()->add_requisite()->mutable_segments();
  for (const std::string& key : profile.topology_keys) reached[key] = "sim-1a";
  const Counter& conflicts =
      metrics.counter("holdfast_disk_zone_conflicts_total", "", {{"driver_name", profile.driver_name}});
  CHECK(conflicts.value() == 0);
  create(*side, "pvc-1", request);
  CHECK(conflicts.value() == 1);
  CHECK(log.count("the StorageClass has its disks in elsewhere") == 1);
  bool ended = false;
  side->end([&ended] { ended = true; });
  CHECK(ended);
}

TEST_CASE_METHOD(AccountScene, "a plugin makes the disks of a cloud that nobody knows", "[disk]") {
  csi::Profile profile = disk_profile("sim").value();
  profile.driver_name = "disk.example.com";
  const auto none = CloudSide::make(host, options, profile, Backend::kPlugin, "one");
  REQUIRE_FALSE(none);
  CHECK_THAT(none.error().message, Catch::Contains("--plugin"));
  const auto server = PluginServer::start(alibaba, folder / "disks.sock").value();
  options.plugin = folder / "disks.sock";
  const auto side = CloudSide::make(host, options, profile, Backend::kPlugin, "one").value();
  const std::string id = create(*side, "pvc-1");
  CHECK(alibaba.disks({id}, kPatient)->front().name == "pvc-1");
  CHECK(side->attach_limit_of("i-1").value() == 2);
}

// Turns the loop until the log has such a line.
void turn_until(AccountScene& scene, CloudSide& side, const std::string& line) {
  const auto give_up = scene.clock.since_boot() + std::chrono::seconds(60);
  while (scene.log.count(line) == 0) {
    REQUIRE(scene.clock.since_boot() < give_up);
    side.tick();
    REQUIRE(scene.loop->turn(std::chrono::milliseconds(10)));
  }
}

TEST_CASE_METHOD(AccountScene, "a controller whose credentials are wrong says so by itself", "[disk]") {
  SECTION("a file that was half written") { std::ofstream(folder / "account") << R"({"AccessKeyId": "sim)"; }
  SECTION("a secret that is another's") {
    std::ofstream(folder / "account") << R"({"AccessKeyId": "sim-id", "AccessKeySecret": "another"})";
  }
  SECTION("nobody listens") { options.cloud.endpoint = "http://127.0.0.1:1"; }
  const auto side = controller_of("one");
  turn_until(*this, *side, "the cloud does not do what is asked");
}

TEST_CASE_METHOD(AccountScene, "the cloud says how many disks a node may have", "[disk]") {
  const auto side = controller_of("one");
  CHECK(side->attach_limit_of("i-1").value() == 2);
  CHECK_FALSE(side->attach_limit_of("i-none").value().has_value());
}

}  // namespace
}  // namespace holdfast::disk
