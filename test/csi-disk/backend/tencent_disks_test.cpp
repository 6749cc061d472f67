#include "csi-disk/backend/tencent_disks.h"

#include "csi-disk/backend/tencent_answers.h"
#include "test/catch.h"
#include "test/csi-disk/backend/disk_region.h"

namespace holdfast::disk {
namespace {

using cloud::CallEnd;
using cloud::Refusal;
using nlohmann::json;

constexpr std::chrono::milliseconds kPatient{5000};

DiskSpec premium(const std::string& name) {
  return {.name = name, .gib = 20, .performance = {.type = "CLOUD_PREMIUM"}, .zone = "sim-1a"};
}

TEST_CASE_METHOD(DiskRegion, "a disk of Tencent's is told as it was asked for", "[disk]") {
  DiskSpec spec = premium("pvc-1");
  spec.performance.bursting = true;
  spec.encrypted = true;
  spec.tags = {{"csi.state", "new"}};
  const auto id = tencent.create_disk(spec, "t-1", kPatient);
  REQUIRE(id);
  CHECK(tencent.create_disk(spec, "t-1", kPatient).value() == *id);
  const auto found = tencent.disks({*id, "disk-none", "not an id"}, kPatient);
  REQUIRE(found);
  REQUIRE(found->size() == 1);
  const Disk& disk = found->front();
  CHECK(disk.name == "pvc-1");
  CHECK(disk.gib == 20);
  CHECK(disk.performance == spec.performance);
  CHECK(disk.zone == "sim-1a");
  CHECK(disk.serial == *id);
  CHECK((disk.encrypted && !disk.multi_attach && !disk.locked));
  CHECK(disk.tags == spec.tags);
  tell("arrears", {{"on", true}});
  CHECK(tencent.disks({*id}, kPatient)->front().locked);
}

TEST_CASE_METHOD(DiskRegion, "what Tencent has not is refused as invalid, what it is out of is not",
                 "[disk]") {
  DiskSpec odd = premium("pvc");
  odd.gib = 25;
  DiskSpec fast = premium("pvc");
  fast.performance.iops = 1000;
  DiskSpec level = premium("pvc");
  level.performance.level = "PL1";
  DiskSpec unknown = premium("pvc");
  unknown.performance.type = "CLOUD_X";
  for (const DiskSpec& spec : {odd, fast, level, unknown}) {
    const auto made = tencent.create_disk(spec, "", kPatient);
    REQUIRE_FALSE(made);
    INFO(made.error().message);
    CHECK(made.error().end == CallEnd::kRefused);
    CHECK(cloud::refusal_of(made.error().code) == Refusal::kInvalid);
  }
  tell("stock", {{"zone", "sim-1a"}, {"type", "CLOUD_PREMIUM"}, {"sold_out", true}});
  CHECK(cloud::refusal_of(tencent.create_disk(premium("a"), "", kPatient).error().code) == Refusal::kQuota);
  DiskSpec anywhere = premium("b");
  anywhere.zone.clear();
  const auto id = tencent.create_disk(anywhere, "", kPatient);
  REQUIRE(id);
  CHECK(tencent.disks({*id}, kPatient)->front().zone == "sim-1b");
  tell("quota", {{"disks", 1}});
  CHECK(cloud::refusal_of(tencent.create_disk(anywhere, "", kPatient).error().code) == Refusal::kQuota);
}

TEST_CASE_METHOD(DiskRegion, "nodes of Tencent's are told, and have so many disks", "[disk]") {
  const auto facts = tencent.node("i-3", kPatient);
  REQUIRE(facts);
  REQUIRE(facts->has_value());
  CHECK((*facts)->zone == "sim-1b");
  CHECK((*facts)->attach_limit == 2U);
  const std::string id = tencent.create_disk(premium("a"), "", kPatient).value();
  const auto far = tencent.attach_disk(id, "i-3", kPatient);
  REQUIRE_FALSE(far);
  CHECK(far.error().code == "ResourceUnavailable.ZoneNotMatch");
  CHECK(cloud::refusal_of(far.error().code) == Refusal::kInvalid);
}

TEST_CASE("answers of another shape than CBS's are no answers", "[disk]") {
  const json cases[] = {
      json::object(),
      {{"DiskSet", json::array()}},
      {{"DiskSet", {"disk-1"}}, {"TotalCount", 1}},
      {{"DiskSet", {{{"DiskSize", 1}, {"DiskState", "ATTACHED"}}}}, {"TotalCount", 1}},
      {{"DiskSet", {{{"DiskId", "disk-1"}, {"DiskSize", "1"}, {"DiskState", "x"}}}}, {"TotalCount", 1}},
      {{"DiskSet", json::array()}, {"TotalCount", -1}},
  };
  for (const json& each : cases) {
    INFO(each.dump());
    CHECK(read_cbs_disks(each, 0).error().end == CallEnd::kUnknownOutcome);
  }
  CHECK(read_cbs_disk_id({{"DiskIdSet", json::array()}}).error().end == CallEnd::kUnknownOutcome);
  CHECK(read_cbs_disk_id({{"DiskIdSet", {"a", "b"}}}).error().end == CallEnd::kUnknownOutcome);
  // One that lists nothing of what it counts tells of no disk that it is gone.
  const auto short_page = read_cbs_disks({{"DiskSet", json::array()}, {"TotalCount", 9}}, 5);
  REQUIRE_FALSE(short_page);
  CHECK(short_page.error().end == CallEnd::kUnknownOutcome);
  const auto last_page = read_cbs_disks({{"DiskSet", json::array()}, {"TotalCount", 5}}, 5);
  REQUIRE(last_page);
  CHECK(last_page->next.empty());
}

}  // namespace
}  // namespace holdfast::disk
