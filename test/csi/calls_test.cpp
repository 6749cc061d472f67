#include "common/csi/wire/calls.h"

#include <atomic>
#include <stdexcept>
#include <thread>

#include "common/csi/answers.h"
#include "common/csi/proto/csi.pb.h"
#include "common/csi/wire/publish_arguments.h"
#include "common/csi/wire/redaction.h"
#include "test/catch.h"
#include "test/csi/valid_request.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/log_lines.h"

namespace holdfast::csi {
namespace {

namespace pb = google::protobuf;
namespace v1 = ::csi::v1;
using test::valid_request;

struct Scene {
  holdfast::test::LogLines log;
  Metrics metrics;
  holdfast::test::FakeClock clock;
  VolumeHolds holds;
  Calls calls{{log, metrics, clock, holds}, "driver.example.com", {}};

  Status run(const char* request, const Calls::Handler& handler) {
    return calls.run(*valid_request(request), handler);
  }
  [[nodiscard]] std::string last_line() const { return log.all().empty() ? "" : log.all().back(); }
};

Status done_well() { return {}; }

TEST_CASE("A call is one line of log and one observation", "[csi]") {
  Scene scene;
  const Status done = scene.run("NodeStageVolumeRequest", [&]() -> Status {
    scene.clock.advance(std::chrono::milliseconds(70));
    return fail(Code::kUnavailable, "device 254:3 is busy");
  });
  CHECK(done.error().message == "device 254:3 is busy");
  REQUIRE(scene.log.all().size() == 1);
  CHECK(scene.last_line().starts_with(
      "level=warning msg=call driver=driver.example.com method=NodeStageVolume id=some-volume_id "
      "code=UNAVAILABLE ms=70 error=\"device 254:3 is busy\" request="));
  const std::string metrics = scene.metrics.render();
  const std::string labels =
      "{driver_name=\"driver.example.com\",grpc_status_code=\"Unavailable\","
      "method_name=\"/csi.v1.Node/NodeStageVolume\"";
  CHECK(metrics.find("csi_plugin_operations_seconds_count" + labels + "} 1") != std::string::npos);
  CHECK(metrics.find("csi_plugin_operations_seconds_bucket" + labels + ",le=\"0.06\"} 0") !=
        std::string::npos);
  CHECK(metrics.find("csi_plugin_operations_seconds_bucket" + labels + ",le=\"0.1\"} 1") !=
        std::string::npos);
}

TEST_CASE("What is asked for all the time is told to those who debug, unless it fails", "[csi]") {
  Scene scene;
  CHECK(scene.run("ProbeRequest", done_well).has_value());
  CHECK(scene.last_line().starts_with("level=debug msg=call"));
  CHECK_FALSE(scene.run("ProbeRequest", [] { return fail(Code::kFailedPrecondition, "no"); }).has_value());
  CHECK(scene.last_line().starts_with("level=warning msg=call"));
  CHECK(scene.run("NodeUnstageVolumeRequest", done_well).has_value());
  CHECK(scene.last_line().starts_with("level=info msg=call"));
}

TEST_CASE("A request that is not valid does not reach its handler", "[csi]") {
  Scene scene;
  bool reached = false;
  const Status done = scene.calls.run(v1::DeleteVolumeRequest(), [&]() -> Status {
    reached = true;
    return {};
  });
  CHECK(done.error().message == "volume_id: is missing");
  CHECK_FALSE(reached);
}

TEST_CASE("A second call for a volume is aborted at once, one that only asks is not", "[csi]") {
  Scene scene;
  const Status first = scene.run("NodeStageVolumeRequest", [&] {
    CHECK(scene.run("NodeUnstageVolumeRequest", done_well).error().message ==
          "volume some-volume_id: NodeStageVolume is under way");
    CHECK(scene.run("NodeGetVolumeStatsRequest", done_well).has_value());
    return Status();
  });
  CHECK(first.has_value());
  CHECK(scene.run("NodeUnstageVolumeRequest", done_well).has_value());
  CHECK(scene.holds.count() == 0);
}

TEST_CASE("An exception of a driver is an error of the call, and no volume stays held", "[csi]") {
  Scene scene;
  const Calls::Handler throws = []() -> Status { throw std::out_of_range("vector::at"); };
  const Calls::Handler throws_other = []() -> Status { throw 7; };
  const Status deleted = scene.run("DeleteVolumeRequest", throws);
  CHECK(deleted.error().code == Code::kInternal);
  CHECK(deleted.error().message == "a fault of the driver: vector::at");
  CHECK(scene.run("DeleteVolumeRequest", throws_other).error().message ==
        "a fault of the driver: an unknown exception");
  // Something may have been made: the caller must ask again, not give up.
  CHECK(scene.run("CreateVolumeRequest", throws).error().code == Code::kAborted);
  CHECK(scene.run("CreateSnapshotRequest", throws).error().code == Code::kAborted);
  CHECK(scene.run("ControllerPublishVolumeRequest", throws).error().code == Code::kAborted);
  CHECK(scene.holds.count() == 0);
}

TEST_CASE("What may have been left behind is asked for again", "[csi]") {
  for (int i = 1; i <= 15; ++i) {
    const auto code = static_cast<Code>(i);
    INFO(to_string(code));
    const Error error = may_be_left({code, 0, "text"});
    CHECK(reaction_to(error.code) == Reaction::kAskAgain);
    CHECK((error.code == code) == (reaction_to(code) == Reaction::kAskAgain));
    CHECK(error.message == "text");
  }
  CHECK(reaction_to(Code::kResourceExhausted) == Reaction::kReschedule);
  CHECK(reaction_to(Code::kInternal) == Reaction::kGiveUp);
}

TEST_CASE("Calls that run are waited for and named, new ones are sent away", "[csi]") {
  Scene scene;
  std::atomic<bool> inside{false};
  std::atomic<bool> go_on{false};
  std::thread caller([&] {
    static_cast<void>(scene.run("NodeStageVolumeRequest", [&]() -> Status {
      inside = true;
      inside.notify_one();
      go_on.wait(false);
      return {};
    }));
  });
  inside.wait(false);
  scene.calls.close();
  CHECK(scene.run("ProbeRequest", done_well).error().code == Code::kUnavailable);
  CHECK(scene.calls.wait_until_idle(std::chrono::milliseconds(1)) ==
        std::vector<std::string>{"NodeStageVolume some-volume_id"});
  go_on = true;
  go_on.notify_one();
  CHECK(scene.calls.wait_until_idle(std::chrono::seconds(20)).empty());
  caller.join();
}

TEST_CASE("No secret of any message is ever logged", "[csi]") {
  int with_secrets = 0;
  for (const Method& method : methods()) {
    const std::unique_ptr<pb::Message> request = valid_request(std::string(method.name) + "Request");
    INFO(method.name);
    const bool secret = request->DebugString().find(test::kSecret) != std::string::npos;
    const std::string text = loggable(*request);
    CHECK(text.find(test::kSecret) == std::string::npos);
    if (secret) CHECK(text.find("key: \"password\" value: \"***\"") != std::string::npos);
    with_secrets += secret ? 1 : 0;

    Scene scene;
    static_cast<void>(scene.calls.run(*request, [] { return fail(Code::kInternal, "text"); }));
    CHECK(scene.log.count(test::kSecret) == 0);
  }
  CHECK(with_secrets == 22);
}

TEST_CASE("Mount flags, and fields that are not known, are hidden too", "[csi]") {
  v1::NodeStageVolumeRequest request;
  request.mutable_volume_capability()->mutable_mount()->add_mount_flags("password=topsecret");
  request.GetReflection()->MutableUnknownFields(&request)->AddLengthDelimited(99, "topsecret");
  const std::string text = loggable(request);
  CHECK(text.find("topsecret") == std::string::npos);
  CHECK(text.find("mount_flags: \"***\"") != std::string::npos);

  request.set_volume_id(std::string(10000, 'x'));
  CHECK(loggable(request).size() == kMaxLoggedBytes);
}

TEST_CASE("Two publications are the same but for secrets and what kubelet tells of the pod", "[csi]") {
  auto request = dynamic_cast<v1::NodePublishVolumeRequest&>(*valid_request("NodePublishVolumeRequest"));
  const Publication first = publication_of(request);
  CHECK(first.target_path == request.target_path());
  CHECK(access_mode_of(request.volume_capability()) == AccessMode::kSingleNodeWriter);

  (*request.mutable_secrets())["password"] = "other";
  (*request.mutable_volume_context())["csi.storage.k8s.io/serviceAccount.tokens"] = "new";
  CHECK(publication_of(request).arguments == first.arguments);
  request.set_target_path("/other");
  CHECK(publication_of(request).arguments == first.arguments);
  request.set_readonly(true);
  CHECK(publication_of(request).arguments != first.arguments);
}

}  // namespace
}  // namespace holdfast::csi
