#include "csi-nas/driver/nas_node.h"

#include "common/csi/proto/csi.pb.h"
#include "test/catch.h"
#include "test/csi-nas/mounts/fake_calls.h"
#include "test/csi/driver_tests.h"

namespace holdfast::nas {
namespace {

const std::string kStaging = "/kubelet/csi/1/globalmount";
const std::string kTarget = "/kubelet/pods/a/mount";
const std::string kOther = "/kubelet/pods/b/mount";
const std::string kShare =
    " volume_context { key: 'server' value: '10.0.0.5' } volume_context { key: 'path' value: '/exports' }";

using csi::test::message;
using csi::test::PatientCall;
using csi::test::refuses;

std::string use(const std::string& mode, const std::string& kind = "mount {}") {
  return " volume_capability { " + kind + " access_mode { mode: " + mode + " } }";
}

struct NodeScene : test::NasScene {
  NodeScene() = default;
  NodeScene(const NodeScene&) = delete;
  NodeScene& operator=(const NodeScene&) = delete;
  ~NodeScene() { probe->close(); }

  Status stage(const std::string& more = kShare + use("MULTI_NODE_MULTI_WRITER"),
               const std::string& id = "pv-nas", const std::string& path = kStaging) {
    csi::v1::NodeStageVolumeResponse response;
    return node.stage_volume(call,
                             message<csi::v1::NodeStageVolumeRequest>(
                                 "volume_id: '" + id + "' staging_target_path: '" + path + "'" + more),
                             response);
  }
  Status unstage(const std::string& id = "pv-nas", const std::string& path = kStaging) {
    csi::v1::NodeUnstageVolumeResponse response;
    return node.unstage_volume(call,
                               message<csi::v1::NodeUnstageVolumeRequest>(
                                   "volume_id: '" + id + "' staging_target_path: '" + path + "'"),
                               response);
  }
  Status publish(const std::string& target, const std::string& more = use("MULTI_NODE_MULTI_WRITER"),
                 const std::string& id = "pv-nas", const std::string& path = kStaging) {
    csi::v1::NodePublishVolumeResponse response;
    return node.publish_volume(
        call,
        message<csi::v1::NodePublishVolumeRequest>("volume_id: '" + id + "' staging_target_path: '" + path +
                                                   "' target_path: '" + target + "'" + kShare + more),
        response);
  }
  Status unpublish(const std::string& target, const std::string& id = "pv-nas") {
    csi::v1::NodeUnpublishVolumeResponse response;
    return node.unpublish_volume(
        call,
        message<csi::v1::NodeUnpublishVolumeRequest>("volume_id: '" + id + "' target_path: '" + target + "'"),
        response);
  }
  Result<csi::v1::NodeGetVolumeStatsResponse> usage(const std::string& path,
                                                    const std::string& id = "pv-nas") {
    csi::v1::NodeGetVolumeStatsResponse response;
    HOLDFAST_CHECK(node.volume_stats(
        call,
        message<csi::v1::NodeGetVolumeStatsRequest>("volume_id: '" + id + "' volume_path: '" + path + "'"),
        response));
    return response;
  }
  std::string health() {
    csi::v1::NodeGetVolumeHealthResponse response;
    const auto done = node.volume_health(
        call, message<csi::v1::NodeGetVolumeHealthRequest>("volume_id: 'pv-nas'"), response);
    if (!done) return done.error().message;
    const auto& statuses = response.volume_health().health_statuses();
    return statuses.empty() ? "" : statuses.begin()->reason();
  }

  PatientCall call;
  SystemClock real_clock;
  VolumePlaces places;
  std::shared_ptr<NasProbe> probe = std::make_shared<NasProbe>(mounts);
  block::VolumeStats stats{probe, real_clock};
  NasNode node{{mounts, places, *probe, stats, [this] { return table(); }}, "edge-1"};
};

TEST_CASE_METHOD(NodeScene, "a node of csi-nas tells its name and what it can do", "[nas]") {
  csi::v1::NodeGetInfoResponse info;
  REQUIRE(node.info(call, {}, info).has_value());
  CHECK(info.node_id() == "edge-1");
  CHECK_FALSE(info.has_accessible_topology());
  csi::v1::NodeGetCapabilitiesResponse capabilities;
  REQUIRE(node.capabilities(call, {}, capabilities).has_value());
  CHECK(capabilities.capabilities_size() == 4);
}

TEST_CASE_METHOD(NodeScene, "a volume lives its life on a node, and leaves nothing behind", "[nas]") {
  for (int again = 0; again < 2; ++again) REQUIRE(stage().has_value());
  for (int again = 0; again < 2; ++again) REQUIRE(publish(kTarget).has_value());
  REQUIRE(publish(kOther).has_value());
  CHECK(calls.mounts.size() == 4);
  refuses(unstage(), Code::kFailedPrecondition);
  for (int again = 0; again < 2; ++again) REQUIRE(unpublish(kTarget).has_value());
  REQUIRE(unpublish(kOther).has_value());
  for (int again = 0; again < 2; ++again) REQUIRE(unstage().has_value());
  CHECK(calls.mounts.empty());
}

TEST_CASE_METHOD(NodeScene, "what cannot be staged or published is refused, and nothing is mounted",
                 "[nas]") {
  refuses(stage(kShare + use("SINGLE_NODE_WRITER", "block {}")), Code::kInvalidArgument);
  refuses(stage(use("SINGLE_NODE_WRITER")), Code::kInvalidArgument);
  refuses(stage(kShare + use("SINGLE_NODE_WRITER", "mount { mount_flags: 'bind' }")), Code::kInvalidArgument);
  refuses(publish(kTarget), Code::kFailedPrecondition);
  CHECK(calls.mounts.empty());
}

TEST_CASE_METHOD(NodeScene, "a second publish is judged by the access mode", "[nas]") {
  struct Case {
    const char* mode;
    bool second_allowed;
  };
  const Case cases[] = {{"SINGLE_NODE_SINGLE_WRITER", false},
                        {"SINGLE_NODE_WRITER", false},
                        {"SINGLE_NODE_MULTI_WRITER", true},
                        {"MULTI_NODE_MULTI_WRITER", true},
                        {"MULTI_NODE_READER_ONLY", true}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.mode) {
      REQUIRE(stage(kShare + use(c.mode)).has_value());
      for (int again = 0; again < 2; ++again) REQUIRE(publish(kTarget, use(c.mode)).has_value());
      const bool reader = mount::mounted_at(calls.mounts, kTarget)->read_only();
      CHECK(reader == (std::string(c.mode) == "MULTI_NODE_READER_ONLY"));
      if (!reader) refuses(publish(kTarget, use(c.mode) + " readonly: true"), Code::kAlreadyExists);
      const Status second = publish(kOther, use(c.mode));
      CHECK(second.has_value() == c.second_allowed);
      if (!c.second_allowed) refuses(second, Code::kFailedPrecondition);
    }
  }
}

TEST_CASE_METHOD(NodeScene, "another volume of the same share does not count as a second place", "[nas]") {
  const std::string mode = use("SINGLE_NODE_SINGLE_WRITER");
  const std::string staging2 = "/kubelet/csi/2/globalmount";
  REQUIRE(stage(kShare + mode).has_value());
  REQUIRE(stage(kShare + mode, "pv-2", staging2).has_value());
  REQUIRE(publish(kTarget, mode).has_value());
  REQUIRE(publish(kOther, mode, "pv-2", staging2).has_value());
  refuses(unpublish(kOther), Code::kFailedPrecondition);
  REQUIRE(unpublish(kOther, "pv-2").has_value());
}

TEST_CASE_METHOD(NodeScene, "usage is what was seen last when the server is dead, and the condition says so",
                 "[nas]") {
  REQUIRE(stage().has_value());
  REQUIRE(publish(kTarget).has_value());
  const auto seen = usage(kTarget);
  REQUIRE(seen.has_value());
  CHECK(seen->usage(0).total() == 100);
  CHECK(seen->usage(1).used() == 3);
  CHECK_FALSE(seen->volume_condition().abnormal());
  CHECK(health().empty());
  servers.states["10.0.0.5"] = ServerState::kDead;
  const auto last = usage(kTarget);
  REQUIRE(last.has_value());
  CHECK(last->usage(0).total() == 100);
  CHECK(last->volume_condition().abnormal());
  CHECK(last->volume_condition().message().find("10.0.0.5:/exports has not answered for 9 s") !=
        std::string::npos);
  CHECK(health() == "ServerDead");
  servers.states.clear();
  CHECK_FALSE(usage(kTarget)->volume_condition().abnormal());
  refuses(usage(kOther) ? Status() : Status(tl::unexpected(usage(kOther).error())), Code::kNotFound);
}

TEST_CASE_METHOD(NodeScene, "a volume that was never seen has no usage while its server is dead", "[nas]") {
  REQUIRE(stage().has_value());
  servers.states["10.0.0.5"] = ServerState::kDead;
  const auto none = usage(kStaging);
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().code == Code::kUnavailable);
}

TEST_CASE_METHOD(NodeScene, "a server's death holds up neither unpublish nor unstage", "[nas]") {
  REQUIRE(stage().has_value());
  REQUIRE(publish(kTarget).has_value());
  servers.states["10.0.0.5"] = ServerState::kDead;
  news();
  REQUIRE(unpublish(kTarget).has_value());
  REQUIRE(unstage().has_value());
  CHECK(news() == std::vector<std::string>{"detach " + kTarget + " remove", "detach " + kStaging});
  CHECK(calls.mounts.size() == 1);
  CHECK(health() == "the volume pv-nas is not on this node");
}

TEST_CASE_METHOD(NodeScene, "a volume that its server has forgotten is staged anew by its next publish",
                 "[nas]") {
  REQUIRE(stage().has_value());
  const std::string shared = calls.mounts.front().target;
  calls.stale = {kStaging, shared};
  CHECK(usage(kStaging).error().code == Code::kUnavailable);
  CHECK(health() == "StaleHandle");
  REQUIRE(publish(kTarget).has_value());
  CHECK(mount::mounted_at(calls.mounts, kTarget)->minor == 2);
}

TEST_CASE_METHOD(NodeScene, "a pod that has what its server has forgotten is told so, and no other",
                 "[nas]") {
  REQUIRE(stage().has_value());
  REQUIRE(publish(kOther).has_value());
  REQUIRE(usage(kOther).has_value());
  calls.stale = {kStaging, calls.mounts.front().target};
  REQUIRE(publish(kTarget).has_value());
  refuses(publish(kOther), Code::kFailedPrecondition);
  CHECK(usage(kOther)->volume_condition().abnormal());
  CHECK_FALSE(usage(kTarget)->volume_condition().abnormal());
  CHECK(health() == "StaleHandle");
  REQUIRE(unpublish(kOther).has_value());
  CHECK(health().empty());
}

TEST_CASE_METHOD(NodeScene, "a folder that was exchanged is told from its successor in one file system",
                 "[nas]") {
  REQUIRE(stage().has_value());
  REQUIRE(publish(kOther).has_value());
  for (mount::MountEntry& each : calls.mounts) each.shared = 7;
  calls.stale = {kStaging, calls.mounts.front().target};
  REQUIRE(publish(kTarget).has_value());
  for (mount::MountEntry& each : calls.mounts) {
    each.minor = 1;
    if (each.shared == 0) each.shared = 8;
  }
  CHECK(usage(kOther)->volume_condition().abnormal());
  CHECK_FALSE(usage(kTarget)->volume_condition().abnormal());
  CHECK(health() == "StaleHandle");
  refuses(publish(kOther), Code::kFailedPrecondition);
  REQUIRE(publish(kTarget).has_value());
}

TEST_CASE_METHOD(NodeScene, "a volume that could not be staged anew is so by the publish that follows",
                 "[nas]") {
  REQUIRE(stage().has_value());
  calls.stale = {kStaging, calls.mounts.front().target};
  calls.folders.clear();
  refuses(publish(kTarget), Code::kNotFound);
  CHECK(mount::mounted_at(calls.mounts, kStaging) == nullptr);
  calls.folders = {"10.0.0.5:/exports"};
  REQUIRE(publish(kTarget).has_value());
  CHECK(mount::mounted_at(calls.mounts, kTarget)->minor == 2);
  REQUIRE(unpublish(kTarget).has_value());
  REQUIRE(unstage().has_value());
  refuses(publish(kTarget), Code::kFailedPrecondition);
}

TEST_CASE_METHOD(NodeScene, "where volumes are is learnt again after a start", "[nas]") {
  REQUIRE(stage().has_value());
  REQUIRE(publish(kTarget).has_value());
  VolumePlaces learnt;
  learnt.staged("pv-nas", kStaging);
  learnt.published("pv-nas", kTarget);
  learnt.published("pv-nas", "/kubelet/pods/gone/mount");
  CHECK(learnt.publications("pv-nas", calls.mounts).size() == 1);
  CHECK(learnt.path_of("pv-nas", calls.mounts) == kStaging);
  learnt.gone(kStaging);
  CHECK(learnt.path_of("pv-nas", calls.mounts) == kTarget);
  CHECK_FALSE(learnt.path_of("pv-2", calls.mounts).has_value());
}

}  // namespace
}  // namespace holdfast::nas
