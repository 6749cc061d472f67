#include <deque>
#include <nlohmann/json.hpp>

#include "csi-disk/backend/alibaba_disks.h"
#include "csi-disk/backend/tencent_disks.h"
#include "test/catch.h"
#include "test/cloud/sim_cloud.h"
#include "test/fakes/fake_clock.h"

// What is left out of an answer does not exist: only when it was the whole answer.
namespace holdfast::disk {
namespace {

using cloud::CallEnd;
using nlohmann::json;

constexpr std::chrono::milliseconds kPatient{5000};

/// Answers what it was given, one after the other.
class ScriptedHttp final : public cloud::HttpClient {
 public:
  cloud::Answer<cloud::HttpReply> exchange(const cloud::HttpRequest& request,
                                           std::chrono::milliseconds /*deadline*/) override {
    asked.push_back(request.url + request.body);
    if (replies.empty()) return cloud::ends(CallEnd::kNotSent, "there are no more replies");
    cloud::HttpReply reply = std::move(replies.front());
    replies.pop_front();
    return reply;
  }
  void answer(const json& body, int status = 200) {
    replies.push_back({.status = status, .body = body.dump()});
  }

  std::deque<cloud::HttpReply> replies;
  std::vector<std::string> asked;
};

struct Backends {
  test::FakeClock clock;
  ScriptedHttp http;
  test::FixedCredentials credentials;
  cloud::AlibabaApi ecs{http, credentials, clock, {.url = "http://ecs", .version = "2014-05-26"}};
  AlibabaDisks alibaba{ecs, "r"};
  cloud::TencentApi cbs{http,
                        credentials,
                        clock,
                        {.url = "http://cbs", .version = "2017-03-12", .region = "r", .service = "cbs"}};
  TencentDisks tencent{{.cbs = cbs, .cvm = cbs, .tag = cbs}, "r", clock};
};

json ecs_page(const json& disks, const std::string& next) {
  return {{"Disks", {{"Disk", disks}}}, {"NextToken", next}};
}
json ecs_disk(const std::string& id) {
  return {{"DiskId", id},
          {"DiskName", "n"},
          {"Size", 20},
          {"Category", "cloud_essd"},
          {"ZoneId", "r-a"},
          {"Status", "Available"},
          {"SerialNumber", id.substr(2)}};
}
json ecs_snapshots(const json& snapshots, const std::string& next) {
  return {{"Snapshots", {{"Snapshot", snapshots}}}, {"NextToken", next}};
}
json cbs_page(const json& disks, int total) {
  return {{"Response", {{"DiskSet", disks}, {"TotalCount", total}}}};
}
json cbs_disk(const std::string& id) {
  return {{"DiskId", id},
          {"DiskName", "n"},
          {"DiskSize", 20},
          {"DiskType", "CLOUD_PREMIUM"},
          {"DiskState", "UNATTACHED"},
          {"Placement", {{"Zone", "r-1"}}}};
}

TEST_CASE_METHOD(Backends, "the rest of a short page is asked for before a disk is missing", "[disk]") {
  http.answer(ecs_page(json::array(), "abc"));
  http.answer(ecs_page(json::array({ecs_disk("d-1")}), ""));
  const auto found = alibaba.disks({"d-1"}, kPatient);
  REQUIRE(found);
  REQUIRE(found->size() == 1);
  CHECK(found->front().id == "d-1");
  REQUIRE(http.asked.size() == 2);
  CHECK_THAT(http.asked[1], Catch::Contains("NextToken=abc") && Catch::Contains("DiskIds="));
  http.answer(ecs_snapshots(json::array(), "more"));
  http.answer(ecs_snapshots(json::array(), ""));
  CHECK(alibaba.snapshots({"s-1"}, kPatient)->empty());
  CHECK(http.asked.size() == 4);
}

TEST_CASE_METHOD(Backends, "a list that does not end tells of nothing that it is missing", "[disk]") {
  for (int i = 0; i < 20; ++i) http.answer(ecs_page(json::array(), "again"));
  const auto found = alibaba.disks({"d-1"}, kPatient);
  REQUIRE_FALSE(found);
  CHECK(found.error().end == CallEnd::kUnknownOutcome);
}

TEST_CASE_METHOD(Backends, "Tencent's next page is asked for, and a count without disks is no answer",
                 "[disk]") {
  http.answer(cbs_page(json::array({cbs_disk("disk-a")}), 2));
  http.answer(cbs_page(json::array({cbs_disk("disk-b")}), 2));
  const auto both = tencent.disks({"disk-a", "disk-b"}, kPatient);
  REQUIRE(both);
  CHECK(both->size() == 2);
  CHECK_THAT(http.asked.back(), Catch::Contains("\"Offset\":1"));
  http.answer(cbs_page(json::array(), 1));
  const auto none = tencent.disks({"disk-a"}, kPatient);
  REQUIRE_FALSE(none);
  CHECK(none.error().end == CallEnd::kUnknownOutcome);
}

TEST_CASE_METHOD(Backends, "a wrong region, API or version says nothing of any disk", "[disk]") {
  for (const char* code : {"InvalidRegionId.NotFound", "InvalidApi.NotFound", "InvalidVersion.NotFound",
                           "InvalidResourceGroup.NotFound", "InvalidDiskId.NotFound"}) {
    DYNAMIC_SECTION(code) {
      const json refusal{{"Code", code}, {"Message", "The specified thing does not exist."}};
      for (int i = 0; i < 3; ++i) http.answer(refusal, 404);
      const auto disks = alibaba.disks({"d-1"}, kPatient);
      REQUIRE_FALSE(disks);
      CHECK(disks.error().end != CallEnd::kNoSuchThing);
      CHECK(cloud::to_error(disks.error()).code != Code::kNotFound);
      CHECK(alibaba.snapshots({"s-1"}, kPatient).error().end != CallEnd::kNoSuchThing);
      CHECK(alibaba.list_disks("", 10, kPatient).error().end != CallEnd::kNoSuchThing);
    }
  }
  for (const char* code : {"InvalidRegionId.NotFound", "InvalidApi.NotFound", "InvalidVersion.NotFound"}) {
    DYNAMIC_SECTION("deleting, " << code) {
      http.answer({{"Code", code}, {"Message", "none"}}, 404);
      const auto deleted = alibaba.delete_disk("d-1", kPatient);
      REQUIRE_FALSE(deleted);
      CHECK(deleted.error().end == CallEnd::kRefused);
      CHECK(cloud::to_error(deleted.error()).code == Code::kUnavailable);
      CHECK_THAT(deleted.error().message, Catch::Contains("region and endpoint"));
    }
  }
  http.answer({{"Code", "InvalidDiskId.NotFound"}, {"Message", "none"}}, 404);
  CHECK(alibaba.delete_disk("d-1", kPatient));
}

}  // namespace
}  // namespace holdfast::disk
