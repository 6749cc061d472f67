#include <nlohmann/json.hpp>
#include <string>

#include "common/kube/watcher.h"
#include "test/kube_server/api_server.h"
#include "test/kube_server/http_scene.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

const std::string kThings = "/apis/g.example/v1/things/";

struct Diary final : WatchConsumer {
  std::string text;
  std::string resume;
  void list_begun() override { text += "begin "; }
  void put(const ObjectId& id, const json& object) override {
    text += id.name + (id.uid.empty() ? "?" : "") + (id.resource_version.empty() ? "?" : "") + "=" +
            object.at("spec").dump() + " ";
  }
  void removed(const ObjectId& id) override { text += "-" + id.name + (id.uid.empty() ? "? " : " "); }
  void list_read() override { text += "read "; }
  void list_authoritative() override { text += "whole "; }
  void version(const std::string& version) override { resume = version; }
  void trouble(const Error& error) override { text += "trouble(" + error.message + ") "; }
};

// A kind with columns, and a watcher that asks for them.
struct Scene : test::HttpScene {
  test::ApiServer server{*loop};
  Diary diary;
  std::unique_ptr<Watcher> watcher;

  Scene() { connect({.server = server.url()}); }

  void define(const json& columns) {
    const json version{{"name", "v1"},
                       {"served", true},
                       {"storage", true},
                       {"additionalPrinterColumns", columns},
                       {"schema", {{"openAPIV3Schema", {{"x-kubernetes-preserve-unknown-fields", true}}}}}};
    server.put("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.g.example",
               {{"spec",
                 {{"group", "g.example"},
                  {"scope", "Cluster"},
                  {"names", {{"plural", "things"}, {"singular", "thing"}, {"kind", "Thing"}}},
                  {"versions", json::array({version})}}}});
    server.establish();
    set("a", 1);
  }
  void set(const std::string& name, int size) {
    server.put(kThings + name, {{"apiVersion", "g.example/v1"},
                                {"kind", "Thing"},
                                {"spec", {{"size", size}, {"unseen", std::string(2000, 'x')}}}});
  }
  void watch() {
    watcher = std::make_unique<Watcher>(
        *loop, *http,
        WatchOptions{
            .resource = {.group = "g.example", .version = "v1", .plural = "things"},
            .kept = {"spec.size"},
            .columns = {{"Name", "/metadata/name"}, {"UID", "/metadata/uid"}, {"Size", "/spec/size"}}},
        diary, 1);
    watcher->start();
    turn_until([&] { return server.watches().count() == 1; });
  }
  void await(const std::string& end) {
    const auto limit = clock.since_boot() + 20s;
    while (!diary.text.ends_with(end)) {
      INFO(diary.text);
      REQUIRE(clock.since_boot() < limit);
      REQUIRE(loop->turn(20ms));
    }
  }
};

const json kColumns = json::parse(R"([{"name":"Size","type":"integer","jsonPath":".spec.size"},
                                      {"name":"UID","type":"string","jsonPath":".metadata.uid"}])");

TEST_CASE("a watch of rows tells what one of objects would, in a fraction of the bytes", "[kube]") {
  Scene scene;
  scene.define(kColumns);
  scene.watch();
  const auto before = scene.server.http().bytes_sent;
  scene.set("b", 2);
  scene.set("a", 3);
  scene.server.remove(kThings + "b");
  scene.await("-b ");
  CHECK(scene.diary.text == R"(begin a={"size":1} read b={"size":2} whole a={"size":3} -b )");
  CHECK(scene.server.http().bytes_sent - before < 1500);
  CHECK(scene.diary.resume == std::to_string(scene.server.store().version()));
  scene.server.store().skip_versions(5);
  scene.server.watches().send_bookmarks();
  scene.turn_until([&] { return scene.diary.resume == std::to_string(scene.server.store().version()); });
  SECTION("and goes on so after its end") {
    scene.server.watches().end_all(/*connections=*/false);
    scene.set("a", 4);
    scene.await(R"(a={"size":4} )");
  }
}

TEST_CASE("where a column is missing the same watch is one of objects, and nothing is lost", "[kube]") {
  Scene scene;
  scene.define(json::array({kColumns[0]}));
  scene.watch();
  scene.set("b", 2);
  scene.await("b={\"size\":2} read ");
  scene.turn_until([&] { return scene.server.watches().count() == 1; });
  scene.set("a", 3);
  scene.await(R"(a={"size":3} whole )");
  CHECK(scene.diary.text ==
        R"(begin a={"size":1} read begin a={"size":1} b={"size":2} read a={"size":3} whole )");
  CHECK(scene.server.requests().back() == "watch things");
  CHECK_FALSE(scene.server.last_request().query.contains("includeObject"));
}

}  // namespace
}  // namespace holdfast::kube
