#include "csi-disk/backend/alibaba_disks.h"

#include "csi-disk/backend/alibaba_answers.h"
#include "test/catch.h"
#include "test/csi-disk/backend/disk_region.h"

namespace holdfast::disk {
namespace {

using cloud::CallEnd;
using cloud::Refusal;
using nlohmann::json;

constexpr std::chrono::milliseconds kPatient{5000};

DiskSpec essd(const std::string& name) {
  return {.name = name, .gib = 20, .performance = {.type = "cloud_essd"}, .zone = "sim-1a"};
}

template <class T>
void refuses(const cloud::Answer<T>& answer, CallEnd end, std::string_view code) {
  REQUIRE_FALSE(answer);
  INFO(answer.error().message);
  CHECK(answer.error().end == end);
  CHECK(answer.error().code == code);
}

TEST_CASE_METHOD(DiskRegion, "a disk of Alibaba's is told as it was asked for", "[disk]") {
  DiskSpec spec = essd("pvc-1");
  spec.performance = {.type = "cloud_auto", .level = "", .iops = 4000, .bursting = true};
  spec.encrypted = true;
  spec.multi_attach = true;
  spec.tags = {{"csi.state", "new"}, {"k", "v v"}};
  const auto id = alibaba.create_disk(spec, "t-1", kPatient);
  REQUIRE(id);
  const auto found = alibaba.disks({*id, "d-none"}, kPatient);
  REQUIRE(found);
  REQUIRE(found->size() == 1);
  const Disk& disk = found->front();
  CHECK(disk.id == *id);
  CHECK(disk.name == "pvc-1");
  CHECK(disk.gib == 20);
  CHECK(disk.performance == spec.performance);
  CHECK(disk.zone == "sim-1a");
  CHECK(disk.state == DiskState::kAvailable);
  CHECK(disk.nodes.empty());
  CHECK("d-" + disk.serial == *id);
  CHECK((disk.encrypted && disk.multi_attach && !disk.locked));
  CHECK(disk.tags == spec.tags);
  REQUIRE(alibaba.tag_disk(*id, {{"k", "w"}, {"n", ""}}, {"csi.state"}, kPatient));
  CHECK(alibaba.disks({*id}, kPatient)->front().tags == Tags{{"k", "w"}, {"n", ""}});
  CHECK(alibaba.disks({}, kPatient)->empty());
}

TEST_CASE_METHOD(DiskRegion, "what the cloud lacks, and what the account may not have, is told apart",
                 "[disk]") {
  struct Case {
    const char* name;
    const char* type;
    const char* level;
    std::uint64_t gib;
    const char* zone;
    const char* code;
    Refusal refusal;
  };
  const Case cases[] = {
      {"too small", "cloud_ssd", "", 19, "sim-1a", "InvalidDiskSize.NotSupported", Refusal::kInvalid},
      {"too small for its level", "cloud_essd", "PL2", 460, "sim-1a", "InvalidDiskSize.NotSupported",
       Refusal::kInvalid},
      {"no such type", "cloud_x", "", 20, "sim-1a", "InvalidDiskCategory.NotSupported", Refusal::kInvalid},
      {"no such level", "cloud_essd", "PL9", 20, "sim-1a", "OperationDenied.PerformanceLevelNotMatch",
       Refusal::kInvalid},
      {"no such zone", "cloud_essd", "", 20, "x", "InvalidZoneId.Malformed", Refusal::kInvalid},
      {"sold out", "cloud_efficiency", "", 20, "sim-1a", "OperationDenied.NoStock", Refusal::kQuota},
      {"beyond the account's share", "cloud_essd", "", 20, "sim-1a", "QuotaExceed.DiskCapacity",
       Refusal::kQuota},
  };
  tell("stock", {{"zone", "sim-1a"}, {"type", "cloud_efficiency"}, {"sold_out", true}});
  tell("quota", {{"disks", 0}});
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      DiskSpec spec = essd("pvc");
      spec.performance = {.type = c.type, .level = c.level};
      spec.gib = c.gib;
      spec.zone = c.zone;
      const auto made = alibaba.create_disk(spec, "", kPatient);
      refuses(made, CallEnd::kRefused, c.code);
      CHECK(cloud::refusal_of(made.error().code) == c.refusal);
    }
  }
  const auto here = alibaba.types_in_stock("sim-1a", kPatient);
  REQUIRE(here);
  CHECK(std::ranges::find(*here, "cloud_efficiency") == here->end());
  CHECK(std::ranges::find(*here, "cloud_essd") != here->end());
  const auto anywhere = alibaba.types_in_stock("", kPatient);
  CHECK(std::ranges::find(*anywhere, "cloud_efficiency") != anywhere->end());
}

TEST_CASE_METHOD(DiskRegion, "an account in arrears keeps its disks, locked", "[disk]") {
  const std::string id = alibaba.create_disk(essd("pvc"), "", kPatient).value();
  tell("arrears", {{"on", true}});
  CHECK(alibaba.disks({id}, kPatient)->front().locked);
  const auto attached = alibaba.attach_disk(id, "i-1", kPatient);
  REQUIRE_FALSE(attached);
  CHECK(cloud::refusal_of(attached.error().code) == Refusal::kArrears);
  CHECK(cloud::refusal_of(alibaba.create_disk(essd("b"), "", kPatient).error().code) == Refusal::kArrears);
  tell("arrears", {{"on", false}});
  CHECK(alibaba.attach_disk(id, "i-1", kPatient));
}

TEST_CASE("what takes time is told while it lasts", "[disk]") {
  DiskRegion region(std::chrono::milliseconds(300));
  AlibabaDisks& disks = region.alibaba;
  const auto state = [&](const std::string& id) { return disks.disks({id}, kPatient).value().at(0).state; };
  const auto wait_for = [&](const std::string& id, DiskState wanted) {
    for (int n = 0; n < 100 && state(id) != wanted; ++n) region.clock.sleep(std::chrono::milliseconds(20));
    return state(id) == wanted;
  };
  const std::string id = disks.create_disk(essd("pvc"), "", kPatient).value();
  CHECK(state(id) == DiskState::kCreating);
  refuses(disks.attach_disk(id, "i-1", kPatient), CallEnd::kRefused, "IncorrectDiskStatus");
  REQUIRE(wait_for(id, DiskState::kAvailable));
  REQUIRE(disks.attach_disk(id, "i-1", kPatient));
  CHECK(state(id) == DiskState::kAttaching);
  CHECK(disks.attach_disk(id, "i-1", kPatient));
  refuses(disks.attach_disk(id, "i-2", kPatient), CallEnd::kRefused, "IncorrectDiskStatus");
  refuses(disks.detach_disk(id, "i-1", kPatient), CallEnd::kRefused, "IncorrectDiskStatus");
  CHECK(disks.disks({id}, kPatient)->front().nodes == std::vector<std::string>{"i-1"});
  REQUIRE(wait_for(id, DiskState::kInUse));
  REQUIRE(disks.detach_disk(id, "i-2", kPatient));
  CHECK(state(id) == DiskState::kInUse);
  REQUIRE(disks.detach_disk(id, "i-1", kPatient));
  CHECK(state(id) == DiskState::kDetaching);
  CHECK(disks.detach_disk(id, "i-1", kPatient));
  refuses(disks.attach_disk(id, "i-1", kPatient), CallEnd::kRefused, "IncorrectDiskStatus");
  REQUIRE(wait_for(id, DiskState::kAvailable));
  const std::string cut =
      disks.create_snapshot({.name = "s", .disk = id, .keep_days = 3}, "t", kPatient).value();
  CHECK_FALSE(disks.snapshots({cut}, kPatient)->front().ready);
  refuses(disks.delete_disk(id, kPatient), CallEnd::kRefused, "DiskCreatingSnapshot");
}

TEST_CASE_METHOD(DiskRegion, "nodes are told, and how many disks they may have is kept to", "[disk]") {
  const auto facts = alibaba.node("i-1", kPatient);
  REQUIRE(facts);
  REQUIRE(facts->has_value());
  CHECK((*facts)->zone == "sim-1a");
  CHECK((*facts)->region == "sim-1");
  CHECK((*facts)->attach_limit == 2U);
  CHECK_FALSE((*facts)->types.empty());
  CHECK_FALSE(alibaba.node("i-9", kPatient).value().has_value());
  for (int n = 0; n < 2; ++n) {
    const std::string id = alibaba.create_disk(essd("pvc"), "", kPatient).value();
    REQUIRE(alibaba.attach_disk(id, "i-1", kPatient));
  }
  const std::string id = alibaba.create_disk(essd("pvc"), "", kPatient).value();
  refuses(alibaba.attach_disk(id, "i-1", kPatient), CallEnd::kRefused, "InstanceDiskLimitExceeded");
  refuses(alibaba.attach_disk(id, "i-3", kPatient), CallEnd::kRefused, "ResourcesNotInSameZone");
  refuses(alibaba.attach_disk(id, "i-9", kPatient), CallEnd::kNoSuchThing, "InvalidInstanceId.NotFound");
  refuses(alibaba.attach_disk("d-9", "i-1", kPatient), CallEnd::kNoSuchThing, "InvalidDiskId.NotFound");
  CHECK(alibaba.attach_disk(id, "i-2", kPatient));
  tell("nodes", {{"i-2", nullptr}});
  CHECK(alibaba.disks({id}, kPatient)->front().nodes.empty());
  CHECK(alibaba.detach_disk(id, "i-2", kPatient));
}

TEST_CASE_METHOD(DiskRegion, "only what of a disk is to be other is modified", "[disk]") {
  const std::string id = alibaba.create_disk(essd("pvc"), "", kPatient).value();
  REQUIRE(alibaba.modify_disk(id, {.type = "cloud_essd", .level = "PL0"}, "", kPatient));
  CHECK(alibaba.disks({id}, kPatient)->front().performance.level == "PL0");
  REQUIRE(alibaba.modify_disk(id, {.type = "cloud_auto", .iops = 3000, .bursting = true}, "", kPatient));
  const Performance now = alibaba.disks({id}, kPatient)->front().performance;
  CHECK(now == Performance{.type = "cloud_auto", .level = "", .iops = 3000, .bursting = true});
  const std::uint64_t before = cloud.calls()["ModifyDiskSpec"];
  REQUIRE(alibaba.modify_disk(id, now, "", kPatient));
  CHECK(cloud.calls()["ModifyDiskSpec"] == before);
  refuses(alibaba.modify_disk(id, {.type = "cloud_essd", .level = "PL3"}, "", kPatient), CallEnd::kRefused,
          "InvalidDiskSize.NotSupported");
  refuses(alibaba.modify_disk("d-9", {.level = "PL1"}, "", kPatient), CallEnd::kNoSuchThing,
          "InvalidDiskId.NotFound");
}

TEST_CASE("answers of another shape than ECS's are no answers", "[disk]") {
  struct Case {
    const char* name;
    json answer;
  };
  const Case cases[] = {
      {"no list", json::object()},
      {"a list of texts", {{"Disks", {{"Disk", {"d-1"}}}}}},
      {"no id", {{"Disks", {{"Disk", {{{"Size", 1}, {"Status", "Available"}}}}}}}},
      {"a size below zero", {{"Disks", {{"Disk", {{{"DiskId", "d"}, {"Size", -1}, {"Status", "x"}}}}}}}},
      {"no status", {{"Disks", {{"Disk", {{{"DiskId", "d"}, {"Size", 1}}}}}}}},
      {"a token that is none", {{"Disks", {{"Disk", json::array()}}}, {"NextToken", 5}}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto page = read_ecs_disks(c.answer);
      REQUIRE_FALSE(page);
      CHECK(page.error().end == CallEnd::kUnknownOutcome);
      CHECK(page.error().message.starts_with("the answer is not of the API: "));
    }
  }
  CHECK(read_ecs_id({{"DiskId", ""}}, "DiskId").error().end == CallEnd::kUnknownOutcome);
  const json least = {{"Disks", {{"Disk", {{{"DiskId", "d"}, {"Size", 1}, {"Status", "ReIniting"}}}}}}};
  CHECK(read_ecs_disks(least)->items.front().state == DiskState::kOther);
}

}  // namespace
}  // namespace holdfast::disk
