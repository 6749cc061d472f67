// Both halves of cluster mode against an API server and LVM in memory.
#include <algorithm>
#include <atomic>

#include "csi-lvm/cluster/forget_node.h"
#include "csi-lvm/volumes/volume_tags.h"
#include "test/catch.h"
#include "test/csi-lvm/cluster/cluster_scene.h"

namespace holdfast::lvm::test {
namespace {

using namespace std::chrono_literals;
using holdfast::test::FaultKind;
using nlohmann::json;

struct Site : ClusterScene {
  ClusterNode one{*this, "edge-1"};
  ClusterNode two{*this, "edge-2"};
  ClusterCalls calls;

  explicit Site(std::chrono::milliseconds stale_after = ClusterCalls::quick().stale_after)
      : calls(*this, options(stale_after)) {}
  static ClusterState::Options options(std::chrono::milliseconds stale_after) {
    ClusterState::Options out = ClusterCalls::quick();
    out.stale_after = stale_after;
    return out;
  }
  void start() {
    one.start();
    two.start();
    calls.wait_for_node("edge-1", false);
    calls.wait_for_node("edge-2", false);
  }
  static VolumeWish wish(const std::string& volume, std::vector<std::string> nodes = {"edge-1"}) {
    return ClusterCalls::wish(volume, 8 * kMiB, std::move(nodes));
  }
  /// Nothing more is to be done on either side.
  void settle() {
    turn_until([this] {
      for (const auto& [name, object] : calls.state.volumes().all()) {
        if (has_work(object)) return false;
      }
      return true;
    });
  }
  void make(const std::string& volume) {
    const auto made = calls.create(wish(volume));
    INFO((made ? "" : made.error().message));
    REQUIRE(made.has_value());
  }
};

// Nothing is told because time has passed.
struct CalmSite : Site {
  CalmSite() : Site(1h) { one.heartbeat = two.heartbeat = 1h; }
};

// There is power for all commands of LVM that come before the one with this number.
std::function<Status(std::string_view, const VolumeName&)> power_until(std::atomic<int>& commands, int cut) {
  return [&commands, cut](std::string_view /*verb*/, const VolumeName& /*name*/) -> Status {
    if (++commands < cut) return {};
    return fail(Code::kUnavailable, "there is no power");
  };
}

Code code_of(const ClusterCalls::Answer& answer) { return answer ? Code{} : answer.error().code; }

TEST_CASE_METHOD(CalmSite, "a volume is made by its node, told, and in the node's figures before a heartbeat",
                 "[lvm cluster]") {
  start();
  const auto made = calls.create(ClusterCalls::wish("pvc-1", 5 * kMiB, {"edge-1"}));
  REQUIRE(made.has_value());
  CHECK(made->status.state == VolumeState::kReady);
  CHECK(made->status.group == "vg");
  CHECK(made->status.size_bytes == 8 * kMiB);
  const LogicalVolume* volume = one.volume("pvc-1");
  REQUIRE(volume != nullptr);
  CHECK(volume->tag_value(kClusterTag) == kClusterUid);
  turn_until([this] {
    const json status = storage("edge-1")["status"];
    return status["groups"][0]["volumes"].contains("pvc-1");
  });
  CHECK(storage("edge-1")["status"]["groups"][0]["freeBytes"] == 198 * 4 * kMiB);
  CHECK(storage("edge-1")["spec"]["topology"][kTopologyKey] == "edge-1");
  CHECK(two.volume("pvc-1") == nullptr);
  SECTION("asked for again it is the same") {
    server.forget_requests();
    CHECK(calls.create(ClusterCalls::wish("pvc-1", 5 * kMiB, {"edge-1"})).has_value());
    CHECK(count_requests("create") == 0);
  }
  SECTION("with another size it is another") {
    CHECK(code_of(calls.create(wish("pvc-1"))) == Code::kAlreadyExists);
  }
  SECTION("deleted, the volume goes and then its object, and again is no error") {
    CHECK(calls.remove("pvc-1").has_value());
    CHECK(one.volume("pvc-1") == nullptr);
    CHECK(volume_object("pvc-1", "edge-1").is_null());
    CHECK(calls.remove("pvc-1").has_value());
  }
}

TEST_CASE_METHOD(Site, "a volume for which there is no room is refused, and leaves nothing",
                 "[lvm cluster]") {
  start();
  VolumeWish large = ClusterCalls::wish("pvc-1", 1000 * kMiB, {"edge-1"});
  SECTION("by the prediction, before anything is written") {
    server.forget_requests();
    CHECK(code_of(calls.create(large)) == Code::kResourceExhausted);
    CHECK(count_requests("create") == 0);
  }
  SECTION("by the node, which knows better") {
    large.predicted = false;
    CHECK(code_of(calls.create(large)) == Code::kResourceExhausted);
    settle();
    CHECK(volume_object("pvc-1", "edge-1").is_null());
  }
  SECTION("and is made where there is room") {
    make("pvc-0");
    VolumeWish wanted = ClusterCalls::wish("pvc-1", 800 * kMiB, {"edge-1", "edge-2"});
    const auto made = calls.create(wanted);
    REQUIRE(made.has_value());
    CHECK(made->spec.node == "edge-2");
  }
  CHECK(one.volume("pvc-1") == nullptr);
}

TEST_CASE_METHOD(Site, "of many volumes at once no more are made than there is room for", "[lvm cluster]") {
  start();
  std::vector<ClusterCalls::Answer> answers;
  for (int i = 0; i < 12; ++i) {
    VolumeWish wanted = ClusterCalls::wish("pvc-" + std::to_string(i), 80 * kMiB, {"edge-1"});
    calls.volumes.create(wanted, 60s,
                         [&answers](const ClusterCalls::Answer& told) { answers.push_back(told); });
  }
  turn_until([&] { return answers.size() == 12; });
  const auto made = std::ranges::count_if(answers, [](const auto& each) { return each.has_value(); });
  CHECK(made == 10);
  for (const auto& each : answers) CHECK((each || each.error().code == Code::kResourceExhausted));
  settle();
  CHECK(calls.state.volumes().all().size() == 10);
}

TEST_CASE_METHOD(Site, "the claim of a node that dies at any command of LVM is bound elsewhere",
                 "[lvm cluster]") {
  // lvcreate and the tag of its readiness, each cut off before or after it was done
  for (const int cut : {1, 2}) {
    for (const bool done : {false, true}) {
      DYNAMIC_SECTION("command " << cut << (done ? " done" : " not done")) {
        start();
        std::atomic<int> commands = 0;
        (done ? one.lvm.after : one.lvm.before) = power_until(commands, cut);
        std::optional<ClusterCalls::Answer> answer;
        calls.volumes.create(wish("pvc-1"), 60s,
                             [&answer](ClusterCalls::Answer told) { answer = std::move(told); });
        turn_until([&] { return commands >= cut; });
        one.die();
        turn_until([&] { return answer.has_value(); });
        CHECK(code_of(*answer) == Code::kResourceExhausted);
        const auto elsewhere = calls.create(wish("pvc-1", {"edge-2"}));
        REQUIRE(elsewhere.has_value());
        CHECK(elsewhere->spec.node == "edge-2");
        CHECK(volume_object("pvc-1", "edge-1")["metadata"].contains("deletionTimestamp"));
        one.start();
        turn_until([this] { return volume_object("pvc-1", "edge-1").is_null(); });
        CHECK(one.volume("pvc-1") == nullptr);
        CHECK(two.volume("pvc-1") != nullptr);
      }
    }
  }
}

TEST_CASE_METHOD(Site, "a node that dies while it removes a volume goes on when it returns",
                 "[lvm cluster]") {
  for (const int cut : {1, 2}) {
    for (const bool done : {false, true}) {
      DYNAMIC_SECTION("command " << cut << (done ? " done" : " not done")) {
        start();
        make("pvc-1");
        one.tag_published("pvc-1");
        std::atomic<int> commands = 0;
        (done ? one.lvm.after : one.lvm.before) = power_until(commands, cut);
        std::optional<ClusterCalls::Answer> answer;
        calls.volumes.remove("pvc-1", VolumeKind::kVolume, 60s,
                             [&answer](ClusterCalls::Answer told) { answer = std::move(told); });
        turn_until([&] { return commands >= cut; });
        one.die();
        one.start();
        turn_until([&] { return answer.has_value(); });
        CHECK(answer->has_value());
        CHECK(calls.remove("pvc-1").has_value());
        CHECK(one.volume("pvc-1") == nullptr);
        CHECK(volume_object("pvc-1", "edge-1").is_null());
      }
    }
  }
}

TEST_CASE_METHOD(Site, "a volume that was used is kept until DeleteVolume says that it may go",
                 "[lvm cluster]") {
  start();
  make("pvc-1");
  one.tag_published("pvc-1");
  one.agent->look_soon();
  turn_until([this] { return volume_object("pvc-1", "edge-1")["status"].value("published", false); });
  server.remove(kVolumesPath + calls.state.objects_of("pvc-1").at(0)->id.name);
  turn_until([this] { return volume_object("pvc-1", "edge-1")["status"].contains("message"); });
  CHECK(one.volume("pvc-1") != nullptr);
  CHECK(volume_object("pvc-1", "edge-1")["status"]["code"] == "FAILED_PRECONDITION");
  CHECK(calls.remove("pvc-1").has_value());
  turn_until([this] { return volume_object("pvc-1", "edge-1").is_null(); });
  CHECK(one.volume("pvc-1") == nullptr);
}

TEST_CASE_METHOD(Site,
                 "DeleteVolume on a node that is gone is answered after the grace, and done when it returns",
                 "[lvm cluster]") {
  start();
  make("pvc-1");
  one.die();
  calls.wait_for_node("edge-1", true);
  CHECK(code_of(calls.remove("pvc-1", 300ms)) == Code::kAborted);
  SECTION("its Node is deleted") { server.remove("/api/v1/nodes/edge-1"); }
  SECTION("its Node is tainted") {
    server.put(
        "/api/v1/nodes/edge-1",
        {{"spec", {{"taints", {{{"key", "node.kubernetes.io/out-of-service"}, {"effect", "NoExecute"}}}}}}});
  }
  CHECK(calls.remove("pvc-1").has_value());
  CHECK_FALSE(volume_object("pvc-1", "edge-1").is_null());
  one.start();
  turn_until([this] { return volume_object("pvc-1", "edge-1").is_null(); });
  CHECK(one.volume("pvc-1") == nullptr);
}

TEST_CASE_METHOD(Site, "a volume without object is told as an orphan, and removed by DeleteVolume only",
                 "[lvm cluster]") {
  const NewVolume lost{.name = {"vg", "pvc-lost"},
                       .size_bytes = 4 * kMiB,
                       .pool = {},
                       .tags = {tag(kStateTag, kReady), tag(kClusterTag, kClusterUid)}};
  const NewVolume foreign{.name = {"vg", "root"}, .size_bytes = 4 * kMiB, .pool = {}, .tags = {}};
  REQUIRE(one.lvm.create(lost, 1s).has_value());
  REQUIRE(one.lvm.create(foreign, 1s).has_value());
  start();
  turn_until([this] { return storage("edge-1")["status"].value("orphanCount", 0) == 1; });
  CHECK(storage("edge-1")["status"]["orphans"][0]["volume"] == "pvc-lost");
  turn_until([this] {
    const auto found = calls.state.storages().find("edge-1");
    return found != calls.state.storages().end() && found->second.status.orphan_count == 1;
  });
  CHECK(calls.remove("root").has_value());
  CHECK(one.volume("root") != nullptr);
  CHECK(calls.remove("pvc-lost").has_value());
  CHECK(one.volume("pvc-lost") == nullptr);
  turn_until([this] { return storage("edge-1")["status"].value("orphanCount", 1) == 0; });
}

TEST_CASE_METHOD(Site, "a volume grows on its node, and what it could not have is not counted",
                 "[lvm cluster]") {
  start();
  make("pvc-1");
  const auto grown = calls.grow("pvc-1", 20 * kMiB);
  REQUIRE(grown.has_value());
  CHECK(grown->status.size_bytes == 20 * kMiB);
  CHECK(one.volume("pvc-1")->size_bytes == 20 * kMiB);
  CHECK(code_of(calls.grow("pvc-1", 2000 * kMiB)) == Code::kResourceExhausted);
  one.lvm.before = [](std::string_view verb, const VolumeName& /*name*/) -> Status {
    if (verb != "extend") return {};
    return fail(Code::kResourceExhausted, "somebody was faster");
  };
  CHECK(code_of(calls.grow("pvc-1", 40 * kMiB)) == Code::kResourceExhausted);
  CHECK(volume_object("pvc-1", "edge-1")["spec"]["requiredBytes"] == 20 * kMiB);
  CHECK(code_of(calls.grow("pvc-2", 40 * kMiB)) == Code::kNotFound);
}

TEST_CASE_METHOD(Site, "a snapshot is made beside its volume, which then cannot be deleted first",
                 "[lvm cluster]") {
  start();
  make("pvc-1");
  VolumeWish snapshot = wish("snap-1");
  snapshot.spec.kind = VolumeKind::kSnapshot;
  snapshot.spec.source = "pvc-1";
  snapshot.spec.parameters.clear();
  snapshot.spec.required_bytes = 0;
  snapshot.predicted = false;
  const auto taken = calls.create(snapshot);
  REQUIRE(taken.has_value());
  CHECK(taken->status.taken > 0);
  CHECK(taken->status.size_bytes == 8 * kMiB);
  CHECK(code_of(calls.remove("pvc-1")) == Code::kFailedPrecondition);
  CHECK_FALSE(volume_object("pvc-1", "edge-1")["metadata"].contains("deletionTimestamp"));
  CHECK(calls.remove("snap-1", 60s, VolumeKind::kSnapshot).has_value());
  CHECK(calls.remove("pvc-1").has_value());
}

TEST_CASE_METHOD(Site, "faults of the API server delay a volume and lose none", "[lvm cluster]") {
  start();
  SECTION("answers to its writes are lost") {
    server.fault({.kind = FaultKind::kDropAfter, .verb = "create", .times = 1});
    server.fault({.kind = FaultKind::kDropAfter, .verb = "patch", .plural = "logicalvolumes", .times = 2});
    server.fault({.kind = FaultKind::kDropAfter, .verb = "delete", .times = 1});
  }
  SECTION("it is down for a while") {
    server.fault({.kind = FaultKind::kStatus, .times = 20, .status = 503});
  }
  SECTION("somebody else has changed the object") {
    server.fault(
        {.kind = FaultKind::kStatus, .verb = "patch", .plural = "logicalvolumes", .times = 3, .status = 409});
  }
  SECTION("watches end, and what they missed is forgotten") {
    server.watches().end_all(/*connections=*/true);
    server.compact();
  }
  make("pvc-1");
  CHECK(one.volume("pvc-1") != nullptr);
  CHECK(calls.remove("pvc-1").has_value());
  CHECK(one.volume("pvc-1") == nullptr);
  CHECK(volume_object("pvc-1", "edge-1").is_null());
}

TEST_CASE_METHOD(Site, "a node that will not come back is forgotten, with what it had", "[lvm cluster]") {
  start();
  make("pvc-1");
  make("pvc-2");
  one.tag_published("pvc-1");
  one.agent->look_soon();
  turn_until([this] { return volume_object("pvc-1", "edge-1")["status"].value("published", false); });
  one.die();
  server.remove(kVolumesPath + calls.state.objects_of("pvc-2").at(0)->id.name);
  const auto forget = [this] {
    NodeForgetter forgetter(*client, "edge-1");
    std::optional<Result<LostNode>> lost;
    forgetter.look([&lost](Result<LostNode> found) { lost = std::move(found); });
    turn_until([&lost] { return lost.has_value(); });
    REQUIRE(lost->has_value());
    const std::string words = describe("edge-1", **lost);
    CHECK_THAT(words, Catch::Contains("pvc-1  volume, 8388608 bytes: was used, its data are lost"));
    CHECK_THAT(words, Catch::Contains("pvc-2  volume, 8388608 bytes: was not used"));
    std::optional<Status> done;
    forgetter.forget([&done](Status how) { done = std::move(how); });
    turn_until([&done] { return done.has_value(); });
    return *done;
  };
  const Status refused = forget();
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::kFailedPrecondition);
  CHECK_FALSE(volume_object("pvc-1", "edge-1").is_null());
  server.remove("/api/v1/nodes/edge-1");
  CHECK(forget().has_value());
  CHECK(volume_object("pvc-1", "edge-1").is_null());
  CHECK(volume_object("pvc-2", "edge-1").is_null());
  CHECK(storage("edge-1").is_null());
  CHECK(calls.remove("pvc-1").has_value());
  // should it come back all the same, nothing is lost by our doing
  one.start();
  turn_until([this] {
    return storage("edge-1").contains("status") && storage("edge-1")["status"].value("orphanCount", 0) == 2;
  });
  CHECK(one.volume("pvc-1") != nullptr);
}

}  // namespace
}  // namespace holdfast::lvm::test
