#include <deque>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/kube/object_client.h"
#include "common/kube/watcher.h"
#include "test/kube_server/http_scene.h"
#include "test/kube_server/http_server.h"
#include "test/kube_server/recording.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::load_recording;
using test::Recording;

const Resource kNodeNetworks{
    .group = "net.holdfast.dev", .version = "v1alpha1", .plural = "nodenetworkconfigurations"};
const Resource kLeases{
    .group = "coordination.k8s.io", .version = "v1", .plural = "leases", .name_space = "kube-system"};
const Resource kEvents{.version = "v1", .plural = "events", .name_space = "default"};
const Resource kNodes{.version = "v1", .plural = "nodes"};

// A server that answers with recordings, one after the other, and the client in front of it. After the last
// one it is silent.
struct Scene : test::HttpScene {
  std::deque<Recording> script;
  std::vector<test::ServerRequest> requests;
  std::size_t chunk = 65536;  // of a watch
  test::HttpServer server{*loop,
                          [this](const test::ServerRequest& request, const test::Responder& responder) {
                            requests.push_back(request);
                            answer(responder);
                          }};
  Scene() { connect({.server = server.url()}, "recorder"); }

  void answer(test::Responder responder) {
    if (script.empty()) {
      return;
    }
    const Recording recording = script.front();
    script.pop_front();
    if (recording.lines.empty()) {
      const bool text = recording.body.is_string();
      responder.whole(recording.status, text ? recording.body.get<std::string>() : recording.body.dump());
      return;
    }
    responder.begin(recording.status);
    std::string bytes;
    for (const json& line : recording.lines) {
      bytes += line.dump() + "\n";
    }
    for (std::size_t at = 0; at < bytes.size(); at += chunk) {
      responder.chunk(bytes.substr(at, chunk));
    }
    responder.end();
  }
};

// One word a call: names with versions, so that what was decoded can be told from what was not.
struct Diary final : WatchConsumer {
  std::string text;
  std::string resume;
  std::vector<std::string> troubles;

  void list_begun() override { text += "begin "; }
  void put(const ObjectId& id, const json& object) override {
    text += id.name + "@" + id.resource_version + "=" +
            object.at("/spec/flannel/publicIP"_json_pointer).get<std::string>() + " ";
    CHECK_FALSE(object["metadata"].contains("managedFields"));
  }
  void removed(const ObjectId& id) override { text += "-" + id.name + "@" + id.resource_version + " "; }
  void list_read() override { text += "read "; }
  void list_authoritative() override { text += "whole "; }
  void version(const std::string& version) override { resume = version; }
  void trouble(const Error& error) override { troubles.push_back(error.message); }
};

struct Watching : Scene {
  Diary diary;
  std::string resume_from;

  // Until the recordings are used up and all of the last one is told.
  void watch(std::vector<Recording> recordings, const std::string& end) {
    script.assign(recordings.begin(), recordings.end());
    Watcher watcher(*loop, *http,
                    {.resource = kNodeNetworks,
                     .kept = {"spec.flannel.publicIP"},
                     .resume_from = resume_from,
                     .page_objects = 3,
                     .first_wait = 1ms,
                     .longest_wait = 5ms},
                    diary, 1);
    watcher.start();
    turn_until([&] { return diary.text.ends_with(end) && script.empty(); });
  }
};

// The third page, which was not recorded, as the recorded whole list has it.
Recording last_page() {
  Recording page = load_recording("12-list-page-2");
  const json all = load_recording("13-list").body;
  page.body["items"] = {all["items"][6], all["items"][7]};
  page.body["metadata"] = {{"continue", ""}, {"resourceVersion", "217"}};
  return page;
}

// An object without this field is none of ours.
Recording with_public_ip(Recording recording) {
  for (json& item : recording.body["items"]) {
    item["spec"]["flannel"].emplace("publicIP", "none");
  }
  return recording;
}

const std::string kList =
    "node-1@210=192.0.2.1 node-2@211=192.0.2.2 node-3@212=192.0.2.3 node-4@213=192.0.2.4 "
    "node-5@214=192.0.2.5 node-6@215=192.0.2.6 node-7@216=192.0.2.7 node-8@217=none read ";
const std::string kChanges =
    "node-1@218=192.0.2.101 whole node-1@219=192.0.2.102 node-1@220=192.0.2.103 "
    "node-1@221=192.0.2.103 node-20@222=192.0.2.20 ";

TEST_CASE("a recorded list in pages and a recorded watch are told as they happened", "[kube]") {
  for (const std::size_t chunk : {1U, 7U, 65536U}) {
    DYNAMIC_SECTION("chunks of " << chunk) {
      Watching scene;
      scene.chunk = chunk;
      const Recording watch = load_recording("27-watch");
      scene.watch({load_recording("11-list-page-1"), load_recording("12-list-page-2"),
                   with_public_ip(last_page()), watch},
                  "-node-20@224 ");
      const std::string ip = watch.lines[5]["object"]["spec"]["flannel"]["publicIP"];
      CHECK(scene.diary.text == "begin " + kList + kChanges + "node-20@223=" + ip + " -node-20@224 ");
      CHECK(scene.diary.resume == "224");
      CHECK(scene.diary.troubles.empty());
      const std::string next = load_recording("12-list-page-2").request.path;
      CHECK(next.ends_with("limit=3&continue=" + scene.requests[1].query["continue"]));
      CHECK(scene.requests[3].query["resourceVersion"] == "217");
      CHECK(scene.requests[3].query["allowWatchBookmarks"] == "true");
    }
  }
}

TEST_CASE("a recorded watch that ended without a bookmark is resumed from its last event", "[kube]") {
  Watching scene;
  scene.resume_from = "217";
  scene.watch({load_recording("28-watch-bookmark"), load_recording("27-watch")}, "-node-20@224 ");
  CHECK(scene.requests[0].query["resourceVersion"] == "217");
  CHECK(scene.requests[1].query["resourceVersion"] == "224");
}

TEST_CASE("recorded refusals of lists and watches lead to what cures them", "[kube]") {
  Watching scene;
  const std::string end = "node-8@217=none read ";
  const Recording list = with_public_ip(load_recording("13-list"));
  SECTION("a version that is too old, told within the stream") {
    scene.resume_from = "1";
    scene.watch({load_recording("30-watch-too-old"), list}, end);
    REQUIRE(scene.diary.troubles.size() == 1);
    CHECK_THAT(scene.diary.troubles[0], Catch::EndsWith("410 Expired: too old resource version: 1 (209)"));
  }
  SECTION("a continue token that is no good") {
    scene.watch({load_recording("11-list-page-1"), load_recording("31-list-continue-expired"), list}, end);
    REQUIRE(scene.diary.troubles.size() == 1);
    CHECK_THAT(scene.diary.troubles[0], Catch::Contains("400 BadRequest: invalid continue token"));
  }
  SECTION("a definition that is not served yet, no token and a wrong one") {
    scene.watch({load_recording("03-crd-list-before-established"), load_recording("43-anonymous"),
                 load_recording("42-unauthorized"), list},
                end);
    REQUIRE(scene.diary.troubles.size() == 3);
    CHECK_THAT(scene.diary.troubles[0], Catch::EndsWith("404: 404 page not found"));
    CHECK_THAT(scene.diary.troubles[1], Catch::Contains("403 Forbidden: nodenetworkconfigurations.net"));
    CHECK_THAT(scene.diary.troubles[2], Catch::EndsWith("401 Unauthorized: Unauthorized"));
  }
}

struct Writing : Scene {
  ObjectClient client{*loop, *http, {.field_manager = "flanneld", .first_wait = 1ms, .longest_wait = 2ms}, 1};
  std::optional<Result<json>> outcome;
  ObjectClient::Done done = [this](Result<json> got) { outcome = std::move(got); };

  // Lets `call` be answered with the recording, and compares what was asked with what was recorded.
  template <class Call>
  Result<json> replay(const std::string& name, Call call) {
    INFO(name);
    const Recording recording = load_recording(name);
    script.push_back(recording);
    outcome.reset();
    const ObjectClient::CallPtr pending = call(recording);
    turn_until([&] { return outcome.has_value(); });
    const test::ServerRequest& sent = requests.back();
    const std::string path = recording.request.path;
    CHECK(sent.method == recording.request.method);
    CHECK(sent.path == path.substr(0, path.find('?')));
    CHECK(sent.headers.contains("content-type") == !recording.request.content_type.empty());
    if (!recording.request.body.empty()) {
      CHECK(sent.headers.at("content-type") == recording.request.content_type);
      CHECK(json::parse(sent.body) == json::parse(recording.request.body));
    }
    return *outcome;
  }
};

json body_of(const Recording& recording) { return json::parse(recording.request.body); }

TEST_CASE("writes are sent as the recorder's were, and their answers decoded", "[kube]") {
  Writing scene;
  ObjectClient& client = scene.client;
  const auto apply = scene.replay("21-apply", [&](const Recording& recording) {
    return client.apply(kNodeNetworks, body_of(recording), scene.done, {.kept = {"spec.flannel.publicIP"}});
  });
  REQUIRE(apply);
  CHECK((*apply)["spec"] == json{{"flannel", {{"publicIP", "192.0.2.103"}}}});
  CHECK(scene.requests.back().query ==
        std::map<std::string, std::string>{{"fieldManager", "flanneld"}, {"force", "true"}});
  const auto version_after = [&](const std::string& name, const auto& call) {
    return id_of(scene.replay(name, call).value()).value().resource_version;
  };
  CHECK(version_after("19-merge-patch", [&](const Recording& recording) {
          return client.merge(kNodeNetworks, "node-1", body_of(recording), scene.done);
        }) == "219");
  CHECK(version_after("22-status-patch", [&](const Recording& recording) {
          return client.merge(kNodeNetworks, "node-1", body_of(recording), scene.done, {}, "status");
        }) == "221");
  CHECK(version_after("38-node-status-strategic-patch", [&](const Recording& recording) {
          return client.strategic_merge(kNodes, "node-1", body_of(recording), scene.done, {}, "status");
        }) == "245");
  CHECK(version_after("17-put-update", [&](const Recording& recording) {
          return client.update(kNodeNetworks, body_of(recording), scene.done);
        }) == "218");
  CHECK(version_after("32-lease-create", [&](const Recording& recording) {
          return client.create(kLeases, body_of(recording), scene.done);
        }) == "241");
  CHECK(version_after("33-lease-get", [&](const Recording&) {
          return client.get(kLeases, "flannel-controller", scene.done);
        }) == "241");
  CHECK(version_after("36-event-create", [&](const Recording& recording) {
          return client.create(kEvents, body_of(recording), scene.done);
        }) == "243");
  CHECK(scene
            .replay("44-delete",
                    [&](const Recording&) { return client.remove(kNodeNetworks, "node-7", "", scene.done); })
            .has_value());
  const auto discovery = scene.replay("04-discovery-group", [&](const Recording& recording) {
    return client.get_document(recording.request.path, scene.done);
  });
  REQUIRE(discovery);
  CHECK((*discovery)["resources"][0]["name"] == "nodenetworkconfigurations");
}

TEST_CASE("recorded refusals of writes have the code that tells what to do", "[kube]") {
  Writing scene;
  ObjectClient& client = scene.client;
  const auto code = [&](const std::string& name, const auto& call) {
    const Result<json> outcome = scene.replay(name, call);
    REQUIRE_FALSE(outcome);
    return outcome.error().code;
  };
  const auto create = [&](const Recording& recording) {
    return client.create(kNodeNetworks, body_of(recording), scene.done);
  };
  CHECK(code("06-create-exists", create) == Code::kAlreadyExists);
  CHECK(code("07-create-invalid", create) == Code::kInvalidArgument);
  CHECK(code("10-get-missing", [&](const Recording&) {
          return client.get(kNodeNetworks, "nosuch", scene.done);
        }) == Code::kNotFound);
  CHECK(code("18-put-conflict", [&](const Recording& recording) {
          return client.update(kNodeNetworks, body_of(recording), scene.done);
        }) == Code::kAborted);
  CHECK(code("35-lease-put-conflict", [&](const Recording& recording) {
          return client.update(kLeases, body_of(recording), scene.done);
        }) == Code::kAborted);
  CHECK(code("20-strategic-patch-on-crd", [&](const Recording& recording) {
          return client.strategic_merge(kNodeNetworks, "node-1", body_of(recording), scene.done);
        }) == Code::kUnknown);
  CHECK(code("23-patch-missing", [&](const Recording& recording) {
          return client.merge(kNodeNetworks, "nosuch", body_of(recording), scene.done);
        }) == Code::kNotFound);
  CHECK(code("45-delete-missing", [&](const Recording&) {
          return client.remove(kNodeNetworks, "node-7", "", scene.done);
        }) == Code::kNotFound);
  CHECK(code("46-delete-precondition", [&](const Recording&) {
          return client.remove(kNodeNetworks, "node-6", "not-this-one", scene.done);
        }) == Code::kAborted);
}

}  // namespace
}  // namespace holdfast::kube
