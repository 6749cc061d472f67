#include "csi-disk/program/claim_events.h"

#include <nlohmann/json.hpp>
#include <thread>

#include "test/catch.h"
#include "test/fakes/fake_clock.h"
#include "test/kube_server/direct_http.h"
#include "test/kube_server/role_rules.h"

namespace holdfast::disk {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr const char* kUid = "5d2c1f0a-93c8-4a51-8d0e-2f4f2a7c9b11";

DiskNote conflict(const std::string& volume = std::string("pvc-") + kUid) {
  return {.event = "ConflictingZone",
          .volume = volume,
          .words = "the StorageClass has its disks in a, and pods reach b",
          .claim = "data",
          .name_space = "shop"};
}

struct Scene {
  holdfast::test::FakeClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  holdfast::test::ApiServer server{*loop};
  std::unique_ptr<ClaimEvents> events = std::make_unique<ClaimEvents>(
      *loop,
      std::make_unique<kube::ClusterLink>(*loop, std::make_unique<holdfast::test::DirectHttp>(*loop, server),
                                          std::make_unique<holdfast::test::DirectHttp>(*loop, server),
                                          "csi-disk"),
      "node-1");

  void pass(std::chrono::milliseconds time) {
    for (auto passed = 0ms; passed < time; passed += 100ms) {
      clock.advance(100ms);
      REQUIRE(loop->turn());
    }
  }
  std::vector<holdfast::test::StoredObject> told() { return server.store().list("/events", ""); }
};

TEST_CASE_METHOD(Scene, "who looks at a claim sees what is to be known of its disk", "[disk]") {
  std::thread([this] { events->tell(conflict()); }).join();
  bool ended = false;
  pass(200ms);
  events->end([&ended] { ended = true; });
  pass(1s);
  CHECK(ended);
  REQUIRE(told().size() == 1);
  const json event = *told().front();
  CHECK(event["metadata"]["namespace"] == "shop");
  CHECK(event["involvedObject"] == json{{"apiVersion", "v1"},
                                        {"kind", "PersistentVolumeClaim"},
                                        {"namespace", "shop"},
                                        {"name", "data"},
                                        {"uid", kUid}});
  CHECK(event["type"] == "Warning");
  CHECK(event["reason"] == "ConflictingZone");
  CHECK(event["message"] == conflict().words);

  const std::string manifests = HOLDFAST_MANIFESTS "/base/";
  const auto granted = holdfast::test::Roles::in(manifests).bound_to(
      holdfast::test::account_in(manifests + "csi-disk/controller.yaml"));
  CHECK(holdfast::test::refused(granted, server.asked()) == std::vector<std::string>{});
  // of the cluster's uid (common/kube/cluster_uid.h), and of an event that is repeated
  CHECK(holdfast::test::allows(granted, "get namespaces/kube-system"));
  CHECK(holdfast::test::allows(granted, "patch events/a in shop"));
  CHECK_FALSE(holdfast::test::allows(granted, "get namespaces/shop"));
}

TEST_CASE_METHOD(Scene, "what comes for no claim, or too late, is told to nobody", "[disk]") {
  DiskNote nobodys = conflict();
  nobodys.claim.clear();
  events->tell(nobodys);
  events->tell(conflict());
  events.reset();
  pass(1s);
  CHECK(told().empty());
}

TEST_CASE("a volume that is named otherwise tells no uid of its claim", "[disk]") {
  for (const std::string& volume : {std::string("disk-") + kUid, std::string("pvc-1"), std::string()}) {
    CHECK(event_of(conflict(volume))->uid.empty());
  }
  CHECK(event_of(conflict())->uid == kUid);
}

}  // namespace
}  // namespace holdfast::disk
