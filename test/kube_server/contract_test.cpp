#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "test/catch.h"
#include "test/kube_server/api_server.h"
#include "test/kube_server/http_scene.h"
#include "test/kube_server/recording.h"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

// Where two documents differ in shape: in the members that there are, the types of values, and the values of
// members that are not of one run only. Empty: nowhere.
class ShapeComparison {
 public:
  static std::string difference(const json& recorded, const json& ours) {
    return ShapeComparison().compare(recorded, ours, "");
  }

 private:
  // Of one run: times, versions, identities, and what is made of them. A message may name one of them.
  static bool is_of_one_run(const std::string& member) {
    static const std::set<std::string> names{
        "uid",     "resourceVersion",    "creationTimestamp", "time",  "lastTransitionTime", "name",
        "message", "storageVersionHash", "continue",          "cells", "description",        "fieldsV1"};
    return names.contains(member);
  }

  static std::string compare(const json& recorded, const json& ours, const std::string& path) {
    if (recorded.type_name() != std::string(ours.type_name())) {
      return path + ": " + ours.type_name() + " instead of " + recorded.type_name();
    }
    if (recorded.is_object()) {
      return compare_members(recorded, ours, path);
    }
    if (!recorded.is_array()) {
      return recorded == ours ? "" : path + ": " + ours.dump() + " instead of " + recorded.dump();
    }
    if (recorded.size() != ours.size()) {
      return path + ": " + std::to_string(ours.size()) + " elements instead of " +
             std::to_string(recorded.size());
    }
    for (std::size_t i = 0; i < recorded.size(); ++i) {
      const std::string wrong = compare(recorded[i], ours[i], path + "[" + std::to_string(i) + "]");
      if (!wrong.empty()) {
        return wrong;
      }
    }
    return "";
  }

  static std::string compare_members(const json& recorded, const json& ours, const std::string& path) {
    for (const auto& [name, member] : ours.items()) {
      if (!recorded.contains(name)) {
        return path + "." + name + ": is not in the recording";
      }
    }
    for (const auto& [name, member] : recorded.items()) {
      if (!ours.contains(name)) {
        return path + "." + name + ": is missing";
      }
      const bool shape_only = is_of_one_run(name);
      const std::string wrong = !shape_only ? compare(member, ours[name], path + "." + name)
                                : member.type_name() == std::string(ours[name].type_name())
                                    ? ""
                                    : path + "." + name + ": other type";
      if (!wrong.empty()) {
        return wrong;
      }
    }
    return "";
  }
};

// The recorder's part: the same requests in the same order to a server of ours.
struct Replay : HttpScene {
  ApiServer server{*loop};
  std::map<std::string, std::string> ours;  // of this run, by what the recording has: versions and tokens

  Replay() { connect({.server = server.url()}, "recorder"); }

  // With the versions and tokens of this run.
  kube::HttpRequest translated(kube::HttpRequest request) {
    for (const auto& [recorded, now] : ours) {
      for (std::string* text : {&request.path, &request.body}) {
        const auto at = text->find(recorded);
        if (at != std::string::npos) {
          text->replace(at, recorded.size(), now);
        }
      }
    }
    return request;
  }

  void learn(const json& recorded, const json& answer) {
    if (!recorded.is_object() || !recorded.contains("metadata")) {
      return;
    }
    for (const auto& [member, before, after] : {std::tuple("resourceVersion", "\"resourceVersion\":\"", "\""),
                                                std::tuple("continue", "continue=", "")}) {
      const std::string then = recorded["metadata"].value(member, "");
      if (!then.empty()) {
        ours[before + then + after] = before + answer["metadata"][member].get<std::string>() + after;
      }
    }
  }

  void play(const std::string& name) {
    INFO(name);
    const Recording recording = load_recording(name);
    const HttpScene::Answer answer = ask(translated(recording.request));
    CHECK(answer.status() == recording.status);
    json body = json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
    if (recording.body.is_string()) {
      CHECK(answer.body == recording.body);
      return;
    }
    CHECK(ShapeComparison::difference(recording.body, body) == "");
    learn(recording.body, body);
  }

  void play_all(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      play(name);
    }
  }

  // The nodes that were made without being recorded.
  void create_others() {
    const json items = load_recording("13-list").body["items"];
    for (json node : items) {
      const std::string name = node["metadata"]["name"];
      if (name != "node-1" && name != "node-8") {
        node["metadata"] = {{"name", name}};
        kube::HttpRequest request = load_recording("05-create").request;
        request.body = node.dump();
        CHECK(ask(request).status() == 201);
      }
    }
  }

  void set_up() {
    server.hold_definitions();
    play_all({"02-crd-create", "03-crd-list-before-established"});
    server.establish();
    play_all({"04-discovery-group", "05-create"});
    create_others();
    play("08-create-unknown-field-dropped");
  }
};

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = text.find('\n', at);
    out.push_back(json::parse(text.substr(at, end - at)));
    at = end + 1;
  }
  return out;
}

void check_lines(const std::vector<json>& recorded, const std::vector<json>& ours) {
  REQUIRE(ours.size() == recorded.size());
  for (std::size_t i = 0; i < recorded.size(); ++i) {
    INFO("line " << i);
    CHECK(ShapeComparison::difference(recorded[i], ours[i]) == "");
  }
}

TEST_CASE("the test server answers as a real API server did: reads, writes and their refusals", "[kube]") {
  Replay replay;
  replay.play("01-version");
  replay.set_up();
  replay.play_all({"06-create-exists", "07-create-invalid", "09-get", "10-get-missing", "11-list-page-1",
                   "12-list-page-2", "13-list", "14-list-rv0", "15-list-label", "16-list-field",
                   "17-put-update", "18-put-conflict", "19-merge-patch", "20-strategic-patch-on-crd",
                   "21-apply", "22-status-patch", "23-patch-missing", "31-list-continue-expired"});
  replay.play_all({"32-lease-create", "33-lease-get", "34-lease-put", "35-lease-put-conflict",
                   "36-event-create", "37-node-create", "38-node-status-strategic-patch", "39-table",
                   "40-metadata-only", "41-gzip", "44-delete", "45-delete-missing", "46-delete-precondition",
                   "47-namespace-kube-system"});
  replay.server.require_token("right");
  replay.play("43-anonymous");
}

TEST_CASE("the test server refuses a wrong token as a real API server did", "[kube]") {
  Replay replay;
  replay.set_up();
  replay.server.require_token("right");
  replay.http =
      kube::CurlHttp::create(*replay.loop, {.server = replay.server.url(), .token = {.bytes = "wrong"}},
                             replay.files, replay.metrics, "recorder")
          .value();
  replay.play("42-unauthorized");
}

TEST_CASE("the test server's watches tell what a real API server's did", "[kube]") {
  Replay replay;
  replay.set_up();
  const std::string from = "resourceVersion=" + std::to_string(replay.server.store().version());
  replay.play_all({"17-put-update", "19-merge-patch", "21-apply", "22-status-patch"});
  SECTION("what changed since the version, what changes, a bookmark and the end") {
    Recording watch = load_recording("27-watch");
    watch.request.path.replace(watch.request.path.find("resourceVersion=217"), 19, from);
    watch.request.path.replace(watch.request.path.find("timeoutSeconds=4"), 16, "timeoutSeconds=1");
    replay.server.watches().last_bookmark = 500ms;
    HttpScene::Answer answer;
    const auto exchange = replay.start(watch.request, answer);
    replay.turn_until([&] { return std::ranges::count(answer.body, '\n') == 4; });
    const std::string path = "/apis/net.holdfast.dev/v1alpha1/nodenetworkconfigurations";
    kube::HttpRequest create = load_recording("05-create").request;
    create.body = R"({"apiVersion":"net.holdfast.dev/v1alpha1","kind":"NodeNetworkConfiguration",)"
                  R"("metadata":{"name":"node-20"},"spec":)" +
                  watch.lines[4]["object"]["spec"].dump() + "}";
    CHECK(replay.ask(create).status() == 201);
    kube::HttpRequest patch = load_recording("19-merge-patch").request;
    patch.path = path + "/node-20";
    patch.body = R"({"spec":)" + watch.lines[5]["object"]["spec"].dump() + "}";
    CHECK(replay.ask(patch).status() == 200);
    CHECK(replay.ask({.method = "DELETE", .path = path + "/node-20"}).status() == 200);
    replay.turn_until([&] { return answer.end.has_value(); });
    check_lines(watch.lines, lines_of(answer.body));
  }
  SECTION("initial events") {
    const Recording watch = load_recording("29-watch-sendinitialevents");
    HttpScene::Answer answer;
    const auto exchange = replay.start(watch.request, answer);
    replay.turn_until([&] { return std::ranges::count(answer.body, '\n') == 9; });
    check_lines(watch.lines, lines_of(answer.body));
  }
  SECTION("a version that is too old") {
    replay.server.compact();
    const Recording watch = load_recording("30-watch-too-old");
    const HttpScene::Answer answer = replay.ask(watch.request);
    CHECK(answer.status() == watch.status);
    check_lines(watch.lines, lines_of(answer.body));
  }
}

}  // namespace
}  // namespace holdfast::test
