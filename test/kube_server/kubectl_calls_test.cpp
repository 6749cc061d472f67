// What kubectl and Helm ask of an API server beside what programs of ours do.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "test/catch.h"
#include "test/kube_server/api_server.h"
#include "test/kube_server/http_scene.h"
#include "test/kube_server/patches.h"
#include "test/kube_server/protobuf_body.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

constexpr const char* kDaemons = "/apis/apps/v1/namespaces/default/daemonsets";
constexpr const char* kDaemon = "/apis/apps/v1/namespaces/default/daemonsets/d";
constexpr const char* kPod = "/api/v1/namespaces/default/pods/d-x";
constexpr const char* kStrategic = "application/strategic-merge-patch+json";
constexpr const char* kJsonPatch = "application/json-patch+json";

json daemon_set(const std::string& app) {
  return {{"metadata", {{"name", "d"}}},
          {"spec",
           {{"selector", {{"matchLabels", {{"app", app}}}}},
            {"template", {{"metadata", {{"labels", {{"app", app}}}}}, {"spec", {{"hostNetwork", true}}}}}}}};
}

struct Scene : HttpScene {
  ApiServer server{*loop};
  Scene() { connect({.server = server.url()}); }
  Answer send(const std::string& method, const std::string& path, const json& body = json(),
              const std::string& type = "application/json") {
    return ask(
        {.method = method, .path = path, .content_type = type, .body = body.is_null() ? "" : body.dump()});
  }
  json get(const std::string& path) { return json::parse(ask({.path = path}).body); }
};

TEST_CASE("a strategic merge patch merges lists by their keys and heeds its directives", "[kube]") {
  struct Case {
    const char* name;
    const char* before;
    const char* patch;
    const char* after;
  };
  const Case cases[] = {
      {"an element is merged, another added", R"({"containers":[{"name":"a","image":"1","args":["x"]}]})",
       R"({"containers":[{"name":"a","image":"2"},{"name":"b"}]})",
       R"({"containers":[{"name":"a","image":"2","args":["x"]},{"name":"b"}]})"},
      {"an element goes", R"({"env":[{"name":"a"},{"name":"b"}]})",
       R"({"env":[{"$patch":"delete","name":"a"}]})", R"({"env":[{"name":"b"}]})"},
      {"a list is replaced", R"({"volumes":[{"name":"a"}]})",
       R"({"volumes":[{"$patch":"replace"},{"name":"b"}]})", R"({"volumes":[{"name":"b"}]})"},
      {"an order", R"({"volumes":[{"name":"a"},{"name":"b"}]})",
       R"({"$setElementOrder/volumes":[{"name":"c"},{"name":"b"}],"volumes":[{"name":"c"}]})",
       R"({"volumes":[{"name":"c"},{"name":"b"},{"name":"a"}]})"},
      {"a list without a key is one value", R"({"args":["a"],"tolerations":[{"key":"a"}]})",
       R"({"args":["b"],"tolerations":[{"key":"b"}]})", R"({"args":["b"],"tolerations":[{"key":"b"}]})"},
      {"members that are not to stay", R"({"updateStrategy":{"type":"x","rollingUpdate":{}}})",
       R"({"updateStrategy":{"$retainKeys":["type"],"type":"OnDelete"}})",
       R"({"updateStrategy":{"type":"OnDelete"}})"},
      {"finalizers", R"({"finalizers":["a","b"]})",
       R"({"$deleteFromPrimitiveList/finalizers":["a"],"finalizers":["c"]})", R"({"finalizers":["b","c"]})"},
      {"a member goes", R"({"a":{"b":1,"c":2}})", R"({"a":{"b":null}})", R"({"a":{"c":2}})"},
      {"a map is replaced", R"({"a":{"b":1}})", R"({"a":{"$patch":"replace","c":2}})", R"({"a":{"c":2}})"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      json object = json::parse(c.before);
      strategic_merge(object, json::parse(c.patch));
      CHECK(object == json::parse(c.after));
    }
  }
}

TEST_CASE("a patch of steps is followed, and one whose step fails is refused", "[kube]") {
  Scene scene;
  scene.send("POST", kDaemons, daemon_set("a"));
  const json step{{"op", "replace"}, {"path", "/spec/template/spec/hostNetwork"}, {"value", false}};
  CHECK(scene.send("PATCH", kDaemon, json::array({step}), kJsonPatch).status() == 200);
  CHECK(scene.get(kDaemon)["spec"]["template"]["spec"]["hostNetwork"] == false);
  const json wrong{{"op", "test"}, {"path", "/spec/template"}, {"value", 1}};
  CHECK(scene.send("PATCH", kDaemon, json::array({wrong}), kJsonPatch).status() == 422);
}

TEST_CASE("what cannot be changed is refused, and what does not select its own pods", "[kube]") {
  Scene scene;
  CHECK(scene.send("POST", kDaemons, daemon_set("a")).status() == 201);
  const auto refused = scene.send("PATCH", kDaemon, daemon_set("b"), kStrategic);
  CHECK(refused.status() == 422);
  CHECK(json::parse(refused.body)["message"] ==
        R"(DaemonSet.apps "d" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: )"
        "field is immutable");
  const json labels{{"spec", {{"template", {{"metadata", {{"labels", {{"app", "b"}}}}}}}}}};
  CHECK(scene.send("PATCH", kDaemon, labels, kStrategic).status() == 422);
  CHECK(scene.get(kDaemon)["spec"]["template"] == daemon_set("a")["spec"]["template"]);

  const std::string classes = "/apis/storage.k8s.io/v1/storageclasses";
  scene.send("POST", classes,
             {{"metadata", {{"name", "c"}}}, {"provisioner", "p"}, {"parameters", {{"a", "1"}}}});
  const auto other = scene.send("PATCH", classes + "/c", {{"parameters", {{"a", "2"}}}}, kStrategic);
  CHECK(other.status() == 422);
  CHECK(json::parse(other.body)["message"] ==
        R"(StorageClass.storage.k8s.io "c" is invalid: parameters: Forbidden: )"
        "updates to parameters are forbidden.");
  CHECK(scene.send("PATCH", classes + "/c", {{"reclaimPolicy", "Delete"}}, kStrategic).status() == 200);
  CHECK(scene.send("PATCH", classes + "/c", {{"reclaimPolicy", "Retain"}}, kStrategic).status() == 422);
  CHECK(scene.send("PATCH", classes + "/c", {{"allowVolumeExpansion", true}}, kStrategic).status() == 200);
}

TEST_CASE("a dry run answers and keeps nothing", "[kube]") {
  Scene scene;
  CHECK(scene.send("POST", std::string(kDaemons) + "?dryRun=All", daemon_set("a")).status() == 201);
  CHECK(scene.send("GET", kDaemon).status() == 404);
  scene.send("POST", kDaemons, daemon_set("a"));
  const json before = scene.get(kDaemon);
  const json change{{"spec", {{"minReadySeconds", 1}}}};
  const auto changed = scene.send("PATCH", std::string(kDaemon) + "?dryRun=All", change, kStrategic);
  CHECK(json::parse(changed.body)["spec"]["minReadySeconds"] == 1);
  CHECK(scene.send("DELETE", std::string(kDaemon) + "?dryRun=All").status() == 200);
  CHECK(scene.get(kDaemon) == before);
}

TEST_CASE("an unknown member is dropped, or refused where that is asked for", "[kube]") {
  Scene scene;
  const json schema{{"type", "object"},
                    {"properties", {{"spec", {{"type", "object"}, {"properties", json::object()}}}}}};
  scene.server.put("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.com",
                   {{"spec",
                     {{"group", "example.com"},
                      {"scope", "Cluster"},
                      {"names", {{"plural", "things"}, {"kind", "Thing"}}},
                      {"versions", json::array({{{"name", "v1"},
                                                 {"served", true},
                                                 {"storage", true},
                                                 {"schema", {{"openAPIV3Schema", schema}}}}})}}}});
  scene.server.establish();
  const json thing{{"metadata", {{"name", "t"}}}, {"spec", {{"typo", 1}}}};
  const std::string things = "/apis/example.com/v1/things";
  const auto refused = scene.send("POST", things + "?fieldValidation=Strict", thing);
  CHECK(refused.status() == 400);
  CHECK_THAT(json::parse(refused.body)["message"].get<std::string>(),
             Catch::EndsWith(R"(strict decoding error: unknown field "spec.typo")"));
  CHECK(scene.send("POST", things, thing).status() == 201);
  CHECK(scene.get(things + "/t")["spec"] == json::object());
}

TEST_CASE("what was an object's goes with it in a whole cluster, unless it is left as an orphan", "[kube]") {
  Scene scene;
  scene.server.be_whole_cluster();
  const std::string uid = json::parse(scene.send("POST", kDaemons, daemon_set("a")).body)["metadata"]["uid"];
  scene.server.put(kPod, {{"metadata", {{"ownerReferences", json::array({{{"uid", uid}}})}}}});
  SECTION("it goes") {
    CHECK(scene.send("DELETE", kDaemon, {{"propagationPolicy", "Background"}}).status() == 200);
    CHECK(scene.server.find(kPod) == nullptr);
  }
  SECTION("it stays") {
    CHECK(scene.send("DELETE", kDaemon, {{"propagationPolicy", "Orphan"}}).status() == 200);
    CHECK_FALSE((*scene.server.find(kPod))["metadata"].contains("ownerReferences"));
  }
}

TEST_CASE("a namespace goes with what is in it, and not before the last of that", "[kube]") {
  Scene scene;
  scene.server.be_whole_cluster();
  const std::string space = "/api/v1/namespaces/n";
  const std::string maps = space + "/configmaps";
  const json map{{"metadata", {{"name", "m"}, {"finalizers", {"example.com/f"}}}}};
  CHECK(scene.send("POST", maps, map).status() == 404);
  scene.server.put(space, json::object());
  CHECK(scene.send("POST", maps, map).status() == 201);
  scene.server.put(maps + "/other", json::object());
  CHECK(scene.send("DELETE", space).status() == 200);
  CHECK(scene.get(space)["status"]["phase"] == "Terminating");
  CHECK(scene.send("GET", maps + "/other").status() == 404);
  CHECK(scene.send("POST", maps, {{"metadata", {{"name", "late"}}}}).status() == 403);
  const json free{{"metadata", {{"finalizers", nullptr}}}};
  CHECK(scene.send("PATCH", maps + "/m", free, "application/merge-patch+json").status() == 200);
  CHECK(scene.send("GET", space).status() == 404);
}

// A field of protobuf that is bytes: at most 127.
std::string field(int number, const std::string& bytes) {
  return std::string{static_cast<char>(number * 8 + 2), static_cast<char>(bytes.size())} + bytes;
}

TEST_CASE("a Secret that comes as protobuf is read, and nothing that is torn", "[kube]") {
  const std::string type = field(1, field(1, "v1") + field(2, "Secret"));
  const std::string meta = field(1, field(1, "s") + field(11, field(1, "owner") + field(2, "helm")));
  const std::string raw = field(2, meta + field(2, field(1, "release") + field(2, "abc")) + field(3, "t"));
  const std::string body = std::string("k8s\0", 4) + type + raw;
  CHECK(object_of_protobuf(body) == json{{"apiVersion", "v1"},
                                         {"kind", "Secret"},
                                         {"metadata", {{"name", "s"}, {"labels", {{"owner", "helm"}}}}},
                                         {"data", {{"release", "YWJj"}}},
                                         {"type", "t"}});
  for (std::size_t size = 0; size + raw.size() < body.size(); ++size) {
    CHECK_FALSE(object_of_protobuf(body.substr(0, size)));
  }
  CHECK_FALSE(object_of_protobuf(body.substr(0, body.size() - 1)));
  CHECK_FALSE(object_of_protobuf(std::string("k8s\0", 4) + field(1, field(1, "v1") + field(2, "Pod"))));
}

TEST_CASE("clients find what is served", "[kube]") {
  Scene scene;
  CHECK(scene.get("/api")["versions"] == json::array({"v1"}));
  const json groups = scene.get("/apis")["groups"];
  CHECK(std::ranges::any_of(groups, [](const json& each) { return each["name"] == "apps"; }));
  CHECK(scene.get("/apis/apps")["preferredVersion"]["groupVersion"] == "apps/v1");
  const json resources = scene.get("/apis/apps/v1")["resources"];
  CHECK(resources[0]["shortNames"] == json::array({"ds"}));
  const json open = scene.get("/openapi/v3")["paths"];
  const json document = scene.get(open["apis/apps/v1"]["serverRelativeURL"]);
  CHECK(document["paths"]["/apis/apps/v1/namespaces/{namespace}/daemonsets/{name}"].contains("patch"));
  CHECK(scene.send("GET", "/apis/nobody.example.com/v1").status() == 404);
}

}  // namespace
}  // namespace holdfast::test
