#include "common/kube/events.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "test/catch.h"
#include "test/fakes/fake_clock.h"
#include "test/kube_server/direct_http.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

EventNote note(const std::string& message, const std::string& reason = "PodCIDRConflict") {
  return {
      .kind = "Node", .name = "node-1", .uid = "u1", .warning = true, .reason = reason, .message = message};
}

struct Scene {
  test::FakeClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  test::ApiServer server{*loop};
  test::DirectHttp http{*loop, server};
  ObjectClient client{*loop, http, {}, 1};
  EventRecorder recorder{*loop, client, "flanneld", "node-1", 7};

  void pass(std::chrono::seconds time) {
    for (auto passed = 0ms; passed < time; passed += 100ms) {
      clock.advance(100ms);
      REQUIRE(loop->turn());
    }
  }
  std::vector<test::StoredObject> events() { return server.store().list("/events", ""); }
};

TEST_CASE("a note becomes an Event about its object, in the shape of a recorded one", "[kube]") {
  Scene scene;
  scene.recorder.record(note("pod CIDR 10.244.1.0/24 overlaps eth0"));
  CHECK(scene.recorder.unwritten() == 1);
  scene.pass(1s);
  CHECK(scene.recorder.unwritten() == 0);
  REQUIRE(scene.events().size() == 1);
  const json event = *scene.events().front();
  CHECK(event["metadata"]["namespace"] == "default");
  CHECK(event["involvedObject"] ==
        json{{"apiVersion", "v1"}, {"kind", "Node"}, {"name", "node-1"}, {"uid", "u1"}});
  CHECK(event["type"] == "Warning");
  CHECK(event["reason"] == "PodCIDRConflict");
  CHECK(event["message"] == "pod CIDR 10.244.1.0/24 overlaps eth0");
  CHECK(event["source"] == json{{"component", "flanneld"}, {"host", "node-1"}});
  CHECK(event["firstTimestamp"] == "2024-05-01T00:00:00Z");
  CHECK(event["count"] == 1);
}

TEST_CASE("who ends is told as soon as all notes are written, or after a while", "[kube]") {
  Scene scene;
  int told = 0;
  const auto wait = [&] { scene.recorder.when_written(4s, [&] { ++told; }); };
  SECTION("with nothing to write, at once") {
    wait();
    scene.pass(1s);
  }
  SECTION("behind the last of several") {
    scene.http.delay = 500ms;
    scene.recorder.record(note("one"));
    scene.recorder.record(note("two"));
    wait();
    scene.pass(1s);
    CHECK(told == 0);
    scene.pass(2s);
    CHECK(scene.events().size() == 2);
  }
  SECTION("when nobody answers") {
    scene.http.requests_lost = true;
    scene.recorder.record(note("one"));
    wait();
    scene.pass(3s);
    CHECK(told == 0);
    scene.pass(2s);
  }
  CHECK(told == 1);
  scene.pass(10s);
  CHECK(told == 1);
}

TEST_CASE("a note that is repeated becomes a count, written now and then", "[kube]") {
  Scene scene;
  for (int i = 0; i < 100; ++i) {
    scene.recorder.record(note("again"));
    scene.pass(3s);
  }
  REQUIRE(scene.events().size() == 1);
  CHECK(scene.server.requests().size() == 1);
  scene.pass(10s);
  CHECK((*scene.events().front())["count"] == 100);
  CHECK((*scene.events().front())["lastTimestamp"] == "2024-05-01T00:04:57Z");
  CHECK(scene.server.requests().size() == 2);
  scene.pass(1200s);
  CHECK(scene.server.requests().size() == 2);
}

TEST_CASE("notes that differ in their message only become one Event when they are many", "[kube]") {
  Scene scene;
  for (int i = 0; i < 30; ++i) {
    scene.recorder.record(note("peer " + std::to_string(i)));
  }
  scene.recorder.record(note("peer 3"));
  scene.pass(5s);
  REQUIRE(scene.events().size() == EventRecorder::kMaxSimilar + 1);
  std::size_t combined = 0;
  for (const auto& event : scene.events()) {
    if ((*event)["message"] == "(combined from similar events): peer 29") {
      ++combined;
      CHECK((*event)["count"] == 20);
    }
  }
  CHECK(combined == 1);
}

TEST_CASE("a flood of notes is written slowly, and the first ones are not lost", "[kube]") {
  Scene scene;
  for (int i = 0; i < 60; ++i) {
    scene.recorder.record(note("m", "Reason" + std::to_string(i)));
  }
  scene.pass(30s);
  CHECK(scene.events().size() == EventRecorder::kBurst);
  scene.pass(10 * 60s);
  CHECK(scene.events().size() == EventRecorder::kBurst + 10);
  CHECK(scene.recorder.unwritten() == 25);
}

TEST_CASE("notes are kept while nobody answers, in bounds, and written when somebody does", "[kube]") {
  Scene scene;
  scene.http.requests_lost = true;
  for (std::size_t i = 0; i < 2 * EventRecorder::kMaxKept; ++i) {
    scene.recorder.record(note("m", "Reason" + std::to_string(i)));
  }
  CHECK(scene.recorder.unwritten() == EventRecorder::kMaxKept);
  scene.pass(3600s);
  CHECK(scene.events().empty());
  scene.http.requests_lost = false;
  scene.pass(600s);
  CHECK_FALSE(scene.events().empty());
}

TEST_CASE("an Event whose answer was lost is not written twice, one that expired is written again",
          "[kube]") {
  Scene scene;
  scene.http.answers_lost = true;
  scene.recorder.record(note("m"));
  scene.pass(5s);
  scene.http.answers_lost = false;
  scene.pass(400s);
  REQUIRE(scene.events().size() == 1);
  CHECK((*scene.events().front())["count"] == 1);
  CHECK(scene.recorder.unwritten() == 0);
  const std::string name = (*scene.events().front())["metadata"]["name"];
  scene.server.remove("/api/v1/namespaces/default/events/" + name);
  scene.recorder.record(note("m"));
  scene.pass(400s);
  REQUIRE(scene.events().size() == 1);
  CHECK((*scene.events().front())["count"] == 2);
}

TEST_CASE("what was written and quiet for long is a new Event when it comes again", "[kube]") {
  Scene scene;
  scene.recorder.record(note("m"));
  scene.pass(10s);
  scene.clock.advance(2h);
  scene.recorder.record(note("m"));
  scene.pass(10s);
  CHECK(scene.events().size() == 2);
}

}  // namespace
}  // namespace holdfast::kube
