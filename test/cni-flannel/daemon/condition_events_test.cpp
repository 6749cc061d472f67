#include "cni-flannel/daemon/condition_events.h"

#include <string>

#include "test/catch.h"
#include "test/fakes/fake_clock.h"
#include "test/kube_server/direct_http.h"

namespace holdfast::flannel {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

struct Scene {
  test::FakeClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  test::ApiServer server{*loop};
  test::DirectHttp http{*loop, server};
  kube::ObjectClient client{*loop, http, {}, 1};
  kube::EventRecorder recorder{*loop, client, "flanneld", "a", 7};
  ConditionEvents events{*loop, recorder, "a", 10s};

  void tell(const std::string& type, const std::string& status, const std::string& reason,
            const std::string& message) {
    events.told({{type, status, reason, message, "2026-01-01T00:00:00Z"}});
  }
  void pass(std::chrono::seconds time) {
    for (auto passed = 0ms; passed < time; passed += 500ms) {
      clock.advance(500ms);
      REQUIRE(loop->turn());
    }
  }
  /// Reason and message of each Event.
  std::string written() {
    std::string out;
    for (const test::StoredObject& event : server.store().list("/events", "")) {
      out += (*event)["reason"].get<std::string>() + ": " + (*event)["message"].get<std::string>() + "\n";
    }
    return out;
  }
};

TEST_CASE("What is not well for a while becomes an Event of our Node, once", "[flanneld]") {
  Scene scene;
  scene.tell("PeersProgrammed", "False", "KernelRefused", "b: no buffer");
  scene.pass(9s);
  CHECK(scene.written().empty());
  scene.tell("PeersProgrammed", "False", "KernelRefused", "b: no buffer");
  scene.pass(5s);
  CHECK(scene.written() == "KernelRefused: PeersProgrammed: b: no buffer\n");
  const json event = *scene.server.store().list("/events", "").front();
  CHECK(event["involvedObject"] == json{{"apiVersion", "v1"}, {"kind", "Node"}, {"name", "a"}, {"uid", "a"}});
  CHECK(event["type"] == "Warning");
  scene.tell("PeersProgrammed", "False", "KernelRefused", "b: no buffer");
  scene.pass(600s);
  CHECK((*scene.server.store().list("/events", "").front())["count"] == 1);
}

TEST_CASE("What comes and goes is no Event, nor what nobody there could read", "[flanneld]") {
  struct Case {
    const char* name;
    const char* type;
    const char* status;
    const char* reason;
    const char* message;
    const char* event;
  };
  const Case cases[] = {
      {"well", "DeviceRight", "True", "AsWanted", "", ""},
      {"starting", "DeviceRight", "False", "Starting", "not yet", ""},
      {"out of reach", "SourceReachable", "False", "Unreachable", "refused", ""},
      {"told by another", "ControllerFindsFault", "True", "ToldByController", "PoolClear: leave one", ""},
      {"objects of no use", "ObjectsUnusable", "True", "PartlyUsable", "b: no CIDR",
       "ObjectsUnusable: ObjectsUnusable: b: no CIDR\n"},
      {"a type that says it", "VtepMacContested", "True", "SetBySomebodyElse", "find it",
       "VtepMacContested: VtepMacContested: find it\n"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Scene scene;
      scene.tell(c.type, c.status, c.reason, c.message);
      scene.pass(30s);
      CHECK(scene.written() == c.event);
    }
  }
  SECTION("gone before it was told") {
    Scene scene;
    scene.tell("RulesInPlace", "False", "RulesFailed", "busy");
    scene.pass(5s);
    scene.tell("RulesInPlace", "True", "AsWanted", "");
    scene.pass(30s);
    CHECK(scene.written().empty());
  }
  SECTION("what came while another was waited for has its own time") {
    Scene scene;
    scene.tell("RulesInPlace", "False", "RulesFailed", "busy");
    scene.pass(9s);
    scene.tell("StateStored", "False", "StoreFailed", "full");
    scene.pass(9s);
    CHECK(scene.written().empty());
    scene.pass(5s);
    CHECK(scene.written() == "StoreFailed: StateStored: full\n");
  }
}

}  // namespace
}  // namespace holdfast::flannel
