#include "test/kube_server/api_server.h"

#include <nlohmann/json.hpp>
#include <string>

#include "test/kube_server/api_server_thread.h"
#include "test/kube_server/http_scene.h"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr const char* kNodes = "/api/v1/nodes";
constexpr const char* kWatch = "/api/v1/nodes?watch=true&allowWatchBookmarks=true&timeoutSeconds=60";
constexpr const char* kApply = "application/apply-patch+yaml";

struct Scene : HttpScene {
  ApiServer server{*loop};
  Scene() {
    connect({.server = server.url()});
    server.put("/api/v1/nodes/a", {{"metadata", {{"labels", {{"pool", "x"}}}}}});
    server.forget_requests();
  }
  Answer get(const std::string& path) { return ask({.path = path, .deadlines = {.response = 300ms}}); }
  Answer apply(const std::string& manager, const json& fields, const std::string& more = "") {
    return ask({.method = "PATCH",
                .path = "/api/v1/nodes/a?fieldManager=" + manager + more,
                .content_type = kApply,
                .body = fields.dump()});
  }
};

json labels(const json& values) { return {{"metadata", {{"labels", values}}}}; }

TEST_CASE("each fault does to an answer what it says", "[kube]") {
  struct Case {
    const char* name;
    Fault fault;
    int status;        // 0: there is no answer
    const char* body;  // begins with
    bool whole;        // the exchange ends without an error
  };
  const Case cases[] = {
      {"drop", {.kind = FaultKind::kDrop}, 0, "", false},
      {"halfway", {.kind = FaultKind::kDropHalfway}, 200, "{\"", false},
      {"silence", {.kind = FaultKind::kSilence}, 0, "", false},
      {"server error",
       {.kind = FaultKind::kStatus, .status = 500},
       500,
       "{\"apiVersion\":\"v1\",\"code\":500",
       true},
      {"too many",
       {.kind = FaultKind::kStatus, .status = 429, .retry_after = 3s},
       429,
       "{\"apiVersion\":\"v1\",\"code\":429",
       true},
      {"stale cache says 404", {.kind = FaultKind::kStaleMissing}, 404, "404 page not found", true},
      {"stale cache says empty",
       {.kind = FaultKind::kStaleEmpty, .stale_version = 3},
       200,
       R"({"apiVersion":"v1","items":[],"kind":"NodeList","metadata":{"continue":"","resourceVersion":"3"}})",
       true},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Scene scene;
      scene.server.fault(c.fault);
      const auto answer = scene.get(kNodes);
      CHECK(answer.status() == c.status);
      CHECK_THAT(answer.body, Catch::StartsWith(c.body));
      CHECK(answer.end->has_value() == c.whole);
      CHECK(answer.head.retry_after == c.fault.retry_after);
      CHECK(scene.get(kNodes).status() == 200);
    }
  }
}

TEST_CASE("a truncated answer is whole HTTP and no JSON, a delayed one comes late", "[kube]") {
  Scene scene;
  scene.server.fault({.kind = FaultKind::kTruncated});
  const auto truncated = scene.get(kNodes);
  CHECK(truncated.end->has_value());
  CHECK_FALSE(json::accept(truncated.body));
  scene.server.fault({.kind = FaultKind::kDelay, .delay = 100ms});
  const auto before = scene.clock.since_boot();
  CHECK(scene.get(kNodes).status() == 200);
  CHECK(scene.clock.since_boot() - before >= 100ms);
}

TEST_CASE("a write whose answer is dropped has been done, one that is dropped has not", "[kube]") {
  Scene scene;
  scene.server.fault({.kind = FaultKind::kDrop, .verb = "patch"});
  scene.server.fault({.kind = FaultKind::kDropAfter, .verb = "patch"});
  CHECK_FALSE(scene.apply("m", labels({{"first", "1"}})).end->has_value());
  CHECK_FALSE(scene.apply("m", labels({{"second", "1"}})).end->has_value());
  const json found = (*scene.server.find("/api/v1/nodes/a"))["metadata"]["labels"];
  CHECK(found == json{{"pool", "x"}, {"second", "1"}});
}

TEST_CASE("a watch can lose its bookmarks, its version and half of an event", "[kube]") {
  Scene scene;
  const std::string version = std::to_string(scene.server.store().version());
  const std::string path = kWatch + ("&resourceVersion=" + version);
  HttpScene::Answer answer;
  SECTION("bookmarks come") {
    const auto exchange = scene.start({.path = path}, answer);
    scene.turn_until([&] { return scene.server.watches().count() == 1; });
    scene.server.watches().send_bookmarks();
    scene.turn_until([&] { return !answer.body.empty(); });
    CHECK(json::parse(answer.body)["type"] == "BOOKMARK");
    CHECK(json::parse(answer.body)["object"]["metadata"]["resourceVersion"] == version);
  }
  SECTION("no bookmarks") {
    scene.server.fault({.kind = FaultKind::kNoBookmarks});
    scene.server.watches().bookmark_period = 5ms;
    const auto exchange = scene.start({.path = path}, answer);
    scene.turn_for(50ms);
    CHECK(scene.server.watches().count() == 1);
    CHECK(answer.body.empty());
  }
  SECTION("too old, as an event") {
    scene.server.fault({.kind = FaultKind::kGoneEvent});
    answer = scene.ask({.path = path});
    CHECK(answer.status() == 200);
    CHECK(json::parse(answer.body)["object"]["code"] == 410);
  }
  SECTION("half an event") {
    scene.server.fault({.kind = FaultKind::kTruncated});
    const auto exchange = scene.start({.path = path}, answer);
    scene.turn_until([&] { return scene.server.watches().count() == 1; });
    scene.server.put("/api/v1/nodes/a", labels({{"more", "1"}}));
    scene.turn_until([&] { return answer.end.has_value(); });
    CHECK(answer.body.starts_with(R"({"object":)"));
    CHECK_FALSE(json::accept(answer.body));
  }
}

TEST_CASE("a watch with a selector is told that an object left it as a deletion", "[kube]") {
  Scene scene;
  HttpScene::Answer answer;
  const auto exchange = scene.start({.path = std::string(kWatch) + "&labelSelector=pool%3Dx"}, answer);
  scene.turn_until([&] { return !answer.body.empty(); });
  answer.body.clear();
  scene.server.put("/api/v1/nodes/a", labels({{"pool", "y"}}));
  scene.turn_until([&] { return !answer.body.empty(); });
  CHECK(json::parse(answer.body)["type"] == "DELETED");
}

TEST_CASE("pages are of one version, and a token that is too old is answered with 410", "[kube]") {
  Scene scene;
  scene.server.put("/api/v1/nodes/b", json::object());
  scene.server.put("/api/v1/nodes/c", json::object());
  const json first = json::parse(scene.get("/api/v1/nodes?limit=2").body);
  const std::string next =
      "/api/v1/nodes?limit=2&continue=" + first["metadata"]["continue"].get<std::string>();
  scene.server.remove("/api/v1/nodes/c");
  const json second = json::parse(scene.get(next).body);
  CHECK(second["items"][0]["metadata"]["name"] == "c");
  CHECK(second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]);
  scene.server.compact();
  CHECK(scene.get(next).status() == 410);
}

TEST_CASE("fields that are applied belong to who applied them", "[kube]") {
  Scene scene;
  const auto labels_now = [&] { return (*scene.server.find("/api/v1/nodes/a"))["metadata"]["labels"]; };
  CHECK(scene.apply("one", labels({{"l", "1"}, {"m", "1"}})).status() == 200);
  SECTION("another value conflicts unless it is forced") {
    CHECK(scene.apply("two", labels({{"l", "2"}})).status() == 409);
    CHECK(labels_now()["l"] == "1");
    CHECK(scene.apply("two", labels({{"l", "2"}}), "&force=true").status() == 200);
    CHECK(labels_now()["l"] == "2");
  }
  SECTION("what is not applied any more is gone, unless it is another's too") {
    CHECK(scene.apply("two", labels({{"l", "1"}})).status() == 200);
    CHECK(scene.apply("one", labels({{"n", "1"}})).status() == 200);
    CHECK(labels_now() == json{{"pool", "x"}, {"l", "1"}, {"n", "1"}});
  }
  SECTION("the same again changes nothing, and nobody is told") {
    const auto version = scene.server.store().version();
    CHECK(scene.apply("one", labels({{"l", "1"}, {"m", "1"}})).status() == 200);
    CHECK(scene.server.store().version() == version);
  }
}

/// A kind whose status has a list of type map, and an object of it.
struct PointScene : Scene {
  static constexpr const char* kObject = "/apis/test.holdfast.dev/v1/pools/p";

  PointScene() {
    server.put("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/pools.test.holdfast.dev",
               json::parse(R"({"spec": {
      "group": "test.holdfast.dev", "scope": "Cluster",
      "names": {"plural": "pools", "singular": "pool", "kind": "Pool"},
      "versions": [{
        "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"status": {"type": "object", "properties": {
          "points": {
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name", "port"],
            "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}}}}]}})"));
    server.establish();
    server.put(kObject, json::object());
  }
  Answer tell(const std::string& manager, const json& points, const std::string& more = "") {
    return ask({.method = "PATCH",
                .path = std::string(kObject) + "/status?fieldManager=" + manager + more,
                .content_type = kApply,
                .body = json{{"status", {{"points", points}}}}.dump()});
  }
  json points() { return (*server.find(kObject)).value("/status/points"_json_pointer, json()); }
  json fields_of(const std::string& manager) {
    const json object = *server.find(kObject);
    for (const json& entry : object["metadata"]["managedFields"]) {
      if (entry["manager"] == manager) return entry["fieldsV1"];
    }
    return {};
  }
};

json point(const std::string& name, const json& more) {
  json out{{"name", name}, {"port", 1}};
  out.update(more);
  return out;
}

template <class... Elements>
json list(const Elements&... elements) {
  json out = json::array();
  (out.push_back(elements), ...);
  return out;
}

TEST_CASE_METHOD(PointScene, "elements of a list of type map belong to who applied them", "[kube]") {
  REQUIRE(tell("a", list(point("one", {{"active", "x"}, {"keys", list("k1", "k2")}}))).status() == 200);
  REQUIRE(tell("b", list(point("two", {{"active", "y"}}))).status() == 200);
  const json one = point("one", {{"active", "x"}, {"keys", list("k1", "k2")}});
  CHECK(points() == list(one, point("two", {{"active", "y"}})));
  CHECK(fields_of("a") == json::parse(R"({"f:status":{"f:points":{"k:{\"name\":\"one\",\"port\":1}":
      {".":{},"f:active":{},"f:keys":{},"f:name":{},"f:port":{}}}}})"));
  SECTION("who tells anew changes his own") {
    CHECK(tell("b", list(point("two", {{"reason", "z"}}))).status() == 200);
    CHECK(points() == list(one, point("two", {{"reason", "z"}})));
  }
  SECTION("who leaves his out takes it away, and the list with the last") {
    CHECK(tell("a", list(point("three", json::object()))).status() == 200);
    CHECK(points() == list(point("two", {{"active", "y"}}), point("three", json::object())));
    CHECK(ask({.method = "PATCH",
               .path = std::string(kObject) + "/status?fieldManager=a",
               .content_type = kApply,
               .body = "{}"})
              .status() == 200);
    CHECK(points() == list(point("two", {{"active", "y"}})));
  }
  SECTION("an element of two stays until both leave it out, each with his own members") {
    CHECK(tell("b", list(point("one", {{"note", "n"}}))).status() == 200);
    CHECK(points() == list(point("one", {{"active", "x"}, {"keys", list("k1", "k2")}, {"note", "n"}})));
    CHECK(tell("a", list(point("three", json::object()))).status() == 200);
    CHECK(points() == list(point("one", {{"note", "n"}}), point("three", json::object())));
  }
  SECTION("another value of a member conflicts, and the member is named") {
    const Answer refused = tell("b", list(point("one", {{"active", "y"}})));
    CHECK(refused.status() == 409);
    CHECK_THAT(refused.body, Catch::Contains(R"(.status.points[name=\"one\",port=1].active)"));
    CHECK(tell("b", list(point("one", {{"active", "y"}})), "&force=true").status() == 200);
    CHECK(points()[0]["active"] == "y");
    CHECK(points()[0]["keys"] == list("k1", "k2"));
  }
  SECTION("the same again tells nobody") {
    const auto version = server.store().version();
    CHECK(tell("b", list(point("two", {{"active", "y"}}))).status() == 200);
    CHECK(server.store().version() == version);
  }
}

TEST_CASE("the status is written by its subresource only, which writes nothing else", "[kube]") {
  Scene scene;
  const auto patch = [&](const std::string& path) {
    return scene.ask({.method = "PATCH",
                      .path = path,
                      .content_type = "application/merge-patch+json",
                      .body = R"({"spec":{"s":1},"status":{"t":1}})"});
  };
  CHECK(patch("/api/v1/nodes/a").status() == 200);
  CHECK((*scene.server.find("/api/v1/nodes/a"))["spec"]["s"] == 1);
  CHECK_FALSE((*scene.server.find("/api/v1/nodes/a"))["status"].contains("t"));
  scene.server.put("/api/v1/nodes/a", {{"spec", {{"s", 2}}}});
  CHECK(patch("/api/v1/nodes/a/status").status() == 200);
  CHECK((*scene.server.find("/api/v1/nodes/a"))["spec"]["s"] == 2);
  CHECK((*scene.server.find("/api/v1/nodes/a"))["status"]["t"] == 1);
}

TEST_CASE("a definition that is deleted takes its objects and its paths along", "[kube]") {
  Scene scene;
  const json definition = {
      {"spec",
       {{"group", "g.example"},
        {"scope", "Cluster"},
        {"names", {{"plural", "things"}, {"singular", "thing"}, {"kind", "Thing"}}},
        {"versions", json::array({{{"name", "v1"}, {"served", true}, {"storage", true}}})}}}};
  const std::string path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.g.example";
  CHECK(scene.get("/apis/g.example/v1").status() == 404);
  scene.server.put(path, definition);
  scene.turn_until([&] { return scene.get("/apis/g.example/v1/things").status() == 200; });
  scene.server.remove(path);
  CHECK(scene.get("/apis/g.example/v1/things").status() == 404);
}

TEST_CASE("a server on a thread of its own is asked through its loop", "[kube]") {
  ApiServerThread thread;
  HttpScene scene;
  scene.connect({.server = thread.url()});
  thread.with([](ApiServer& server) { server.put("/api/v1/nodes/b", json::object()); });
  CHECK(scene.ask({.path = "/api/v1/nodes/b"}).status() == 200);
  CHECK(thread.with([](ApiServer& server) { return server.requests(); }) ==
        std::vector<std::string>{"get nodes/b"});
}

TEST_CASE_METHOD(Scene, "an object with finalizers that is deleted stays until the last of them goes",
                 "[kube]") {
  server.put("/api/v1/nodes/b", {{"metadata", {{"finalizers", {"x", "y"}}}}});
  const auto patch = [this](const json& finalizers) {
    return ask({.method = "PATCH",
                .path = "/api/v1/nodes/b",
                .content_type = "application/merge-patch+json",
                .body = json{{"metadata", {{"finalizers", finalizers}}}}.dump()});
  };
  CHECK(ask({.method = "DELETE", .path = "/api/v1/nodes/b"}).status() == 200);
  const json marked = json::parse(get("/api/v1/nodes/b").body);
  CHECK(marked["metadata"]["deletionTimestamp"].is_string());
  CHECK(ask({.method = "DELETE", .path = "/api/v1/nodes/b"}).status() == 200);
  CHECK(patch({"y"}).status() == 200);
  CHECK(json::parse(get("/api/v1/nodes/b").body)["metadata"]["deletionTimestamp"] ==
        marked["metadata"]["deletionTimestamp"]);
  CHECK(patch(json::array()).status() == 200);
  CHECK(get("/api/v1/nodes/b").status() == 404);
}

TEST_CASE("a pod is evicted only while the budgets that it is under have enough others", "[kube]") {
  Scene scene;
  const std::string pods = "/api/v1/namespaces/site/pods";
  const auto put = [&](const std::string& name, const char* ready) {
    const json conditions = json::array({{{"type", "Ready"}, {"status", ready}}});
    scene.server.put(pods + "/" + name, {{"metadata", {{"labels", {{"app", "core"}, {"gateway", name}}}}},
                                         {"status", {{"conditions", conditions}}}});
  };
  const auto evict = [&](const std::string& name, const std::string& more = "") {
    return scene.ask({.method = "POST",
                      .path = pods + "/" + name + "/eviction" + more,
                      .body = json{{"apiVersion", "policy/v1"},
                                   {"kind", "Eviction"},
                                   {"metadata", {{"name", name}, {"namespace", "site"}}}}
                                  .dump()});
  };
  scene.server.put("/apis/policy/v1/namespaces/site/poddisruptionbudgets/core",
                   {{"spec", {{"minAvailable", 1}, {"selector", {{"matchLabels", {{"app", "core"}}}}}}}});
  put("a", "True");
  put("b", "True");
  CHECK(evict("a", "?dryRun=All").status() == 201);
  CHECK(evict("a").status() == 201);
  CHECK(evict("a").status() == 404);
  const auto refused = evict("b");
  CHECK(refused.status() == 429);
  CHECK_THAT(refused.body, Catch::Contains("needs 1 healthy pods and has 1 currently"));
  put("a", "False");  // made anew, not ready
  CHECK(evict("b").status() == 429);
  CHECK(evict("a").status() == 201);  // holds nothing up
  put("a", "True");
  CHECK(evict("b").status() == 201);
}

}  // namespace
}  // namespace holdfast::test
