#include "common/kube/object_client.h"

#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "test/kube_server/api_server.h"
#include "test/kube_server/http_scene.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::FaultKind;

const Resource kNodes{.version = "v1", .plural = "nodes"};

json node(const json& labels) { return {{"metadata", {{"name", "a"}, {"labels", labels}}}}; }

struct Scene : test::HttpScene {
  test::ApiServer server{*loop};
  std::unique_ptr<ObjectClient> client;
  std::vector<Result<json>> outcomes;

  Scene() {
    connect({.server = server.url()});
    client = std::make_unique<ObjectClient>(
        *loop, *http,
        ObjectClientOptions{.field_manager = "flanneld",
                            .first_wait = 1ms,
                            .longest_wait = 5ms,
                            .attempt = {.connect = 1s, .response = 200ms, .silence = 200ms, .whole = 1s}},
        1);
  }
  ObjectClient::Done done() {
    return [this](Result<json> outcome) { outcomes.push_back(std::move(outcome)); };
  }
  Result<json> finish(const ObjectClient::CallPtr& call) {
    outcomes.clear();
    REQUIRE(call);
    turn_until([&] { return !outcomes.empty(); });
    turn_for(10ms);
    REQUIRE(outcomes.size() == 1);
    return outcomes.front();
  }
  Result<json> apply(const json& labels, CallOptions options = {}) {
    return finish(client->apply(kNodes, node(labels), done(), std::move(options)));
  }
  json labels() { return (*server.find("/api/v1/nodes/a"))["metadata"]["labels"]; }
};

TEST_CASE("an apply makes the object, owns its fields by name and takes away what it leaves out", "[kube]") {
  Scene scene;
  const auto made = scene.apply({{"x", "1"}, {"y", "1"}}, {.kept = {"metadata.labels"}});
  REQUIRE(made);
  CHECK((*made)["metadata"]["labels"] == json{{"x", "1"}, {"y", "1"}});
  CHECK_FALSE((*made)["metadata"].contains("managedFields"));
  REQUIRE(scene.apply({{"x", "2"}}));
  CHECK(scene.labels() == json{{"x", "2"}});
  const json fields = (*scene.server.find("/api/v1/nodes/a"))["metadata"]["managedFields"];
  REQUIRE(fields.size() == 1);
  CHECK(fields[0]["manager"] == "flanneld");
  CHECK(fields[0]["operation"] == "Apply");
}

TEST_CASE("an apply takes over a field that another manager holds", "[kube]") {
  Scene scene;
  scene.server.put("/api/v1/nodes/a", node({{"x", "theirs"}}));
  REQUIRE(scene.apply({{"x", "ours"}}));
  CHECK(scene.labels()["x"] == "ours");
}

TEST_CASE("merge, strategic merge, create, update, get and remove do what their names say", "[kube]") {
  Scene scene;
  ObjectClient& client = *scene.client;
  REQUIRE(scene.finish(client.create(kNodes, node({{"x", "1"}}), scene.done())));
  REQUIRE(scene.finish(
      client.merge(kNodes, "a", {{"metadata", {{"labels", {{"x", nullptr}, {"y", "2"}}}}}}, scene.done())));
  CHECK(scene.labels() == json{{"y", "2"}});
  for (const char* type : {"Ready", "NetworkUnavailable"}) {
    REQUIRE(scene.finish(client.strategic_merge(
        kNodes, "a", {{"status", {{"conditions", json::array({{{"type", type}, {"status", "False"}}})}}}},
        scene.done(), {}, "status")));
  }
  CHECK((*scene.server.find("/api/v1/nodes/a"))["status"]["conditions"].size() == 2);
  auto got = scene.finish(client.get(kNodes, "a", scene.done(), {.kept = {"metadata.labels"}}));
  REQUIRE(got);
  (*got)["metadata"]["labels"]["z"] = "3";
  REQUIRE(scene.finish(client.update(kNodes, *got, scene.done())));
  CHECK(scene.labels() == json{{"y", "2"}, {"z", "3"}});
  const auto other_life = scene.finish(client.remove(kNodes, "a", "another-uid", scene.done()));
  REQUIRE_FALSE(other_life);
  CHECK(other_life.error().code == Code::kAborted);
  REQUIRE(scene.finish(client.remove(kNodes, "a", id_of(*got)->uid, scene.done())));
  CHECK(scene.server.find("/api/v1/nodes/a") == nullptr);
}

TEST_CASE("what may pass is tried again until it is done", "[kube]") {
  const std::pair<const char*, test::Fault> cases[] = {
      {"connection closed before", {.kind = FaultKind::kDrop}},
      {"connection closed after", {.kind = FaultKind::kDropAfter}},
      {"answer cut short", {.kind = FaultKind::kDropHalfway}},
      {"answer of half a JSON", {.kind = FaultKind::kTruncated}},
      {"no answer", {.kind = FaultKind::kSilence}},
      {"server error", {.kind = FaultKind::kStatus, .status = 500}},
      {"unavailable", {.kind = FaultKind::kStatus, .status = 503}},
      {"too many requests", {.kind = FaultKind::kStatus, .status = 429}},
      {"token just rotated", {.kind = FaultKind::kStatus, .status = 401}},
      {"conflict with nobody's version", {.kind = FaultKind::kStatus, .status = 409}},
  };
  for (const auto& [name, fault] : cases) {
    DYNAMIC_SECTION(name) {
      Scene scene;
      scene.server.fault(fault);
      scene.server.fault(fault);
      REQUIRE(scene.apply({{"x", "1"}}));
      CHECK(scene.labels() == json{{"x", "1"}});
      CHECK(scene.server.requests().size() == 3);
    }
  }
}

TEST_CASE("what will not change is told at once", "[kube]") {
  struct Case {
    const char* name;
    int status;
    Code code;
  };
  const Case cases[] = {{"bad request", 400, Code::kInvalidArgument},
                        {"forbidden", 403, Code::kPermissionDenied},
                        {"missing", 404, Code::kNotFound},
                        {"invalid", 422, Code::kInvalidArgument}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Scene scene;
      scene.server.fault({.kind = FaultKind::kStatus, .status = c.status});
      const auto outcome = scene.apply({});
      REQUIRE_FALSE(outcome);
      CHECK(outcome.error().code == c.code);
      CHECK_THAT(outcome.error().message, Catch::StartsWith("PATCH /api/v1/nodes/a: "));
      CHECK(scene.server.requests().size() == 1);
    }
  }
}

TEST_CASE("a write that names the version it replaces loses against another, once", "[kube]") {
  Scene scene;
  REQUIRE(scene.apply({{"x", "1"}}));
  auto old = scene.finish(scene.client->get(kNodes, "a", scene.done()));
  REQUIRE(scene.apply({{"x", "2"}}));
  scene.server.forget_requests();
  const auto update = scene.finish(scene.client->update(kNodes, *old, scene.done()));
  REQUIRE_FALSE(update);
  CHECK(update.error().code == Code::kAborted);
  const json patch{
      {"metadata", {{"resourceVersion", id_of(*old)->resource_version}, {"labels", {{"x", "3"}}}}}};
  const auto merge = scene.finish(scene.client->merge(kNodes, "a", patch, scene.done()));
  REQUIRE_FALSE(merge);
  CHECK(merge.error().code == Code::kAborted);
  CHECK(scene.server.requests().size() == 2);
  CHECK(scene.labels()["x"] == "2");
}

TEST_CASE("a server that says when to come again is not asked before", "[kube]") {
  Scene scene;
  scene.server.fault({.kind = FaultKind::kStatus, .status = 429, .retry_after = 1s});
  const auto before = scene.clock.since_boot();
  REQUIRE(scene.apply({}));
  CHECK(scene.clock.since_boot() - before >= 1s);
}

TEST_CASE("a call ends at its deadline, whatever it waits for, and says what went wrong", "[kube]") {
  Scene scene;
  scene.server.fault({.kind = FaultKind::kStatus, .times = -1, .status = 503});
  const auto outcome = scene.apply({}, {.deadline = 60ms});
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Code::kDeadlineExceeded);
  CHECK_THAT(outcome.error().message, Catch::Contains("not done after 60 ms; 503"));
  CHECK(scene.server.requests().size() > 2);
  SECTION("also one that is tried once") {
    scene.server.forget_requests();
    CHECK_FALSE(scene.apply({}, {.once = true}));
    CHECK(scene.server.requests().size() == 1);
  }
}

TEST_CASE("a server that is slow is waited for longer each time", "[kube]") {
  Scene scene;
  scene.server.fault({.kind = FaultKind::kDelay, .verb = "patch", .times = -1, .delay = 1s});
  REQUIRE(scene.apply({{"x", "1"}}));
  const std::size_t attempts = scene.server.requests().size();
  CHECK(attempts > 1);  // of 200 ms, 400 ms ...
  CHECK(attempts < 6);
}

TEST_CASE("an answer that came while the loop was busy counts, also after the deadline", "[kube]") {
  Scene scene;
  const auto call = scene.client->apply(kNodes, node({}), scene.done(), {.deadline = 2s, .once = true});
  scene.turn_until([&] { return !scene.server.requests().empty(); });
  std::this_thread::sleep_for(2s + 100ms);
  scene.turn_until([&] { return !scene.outcomes.empty(); });
  CHECK(scene.outcomes.front());
}

TEST_CASE("a call that is destroyed calls nobody, also when its own end destroys it", "[kube]") {
  Scene scene;
  auto call = scene.client->apply(kNodes, node({}), scene.done());
  call.reset();
  scene.turn_for(20ms);
  CHECK(scene.outcomes.empty());
  CHECK(scene.server.requests().empty());
  bool called = false;
  call = scene.client->apply(kNodes, node({}), [&](const Result<json>&) {
    call.reset();
    called = true;
  });
  scene.turn_until([&] { return called; });
}

}  // namespace
}  // namespace holdfast::kube
