// The controller over a cloud's API as it is on the wire: what AlibabaDisks and DiskService make of it.
#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "csi-disk/backend/alibaba_disks.h"
#include "csi-disk/backend/patient_disks.h"
#include "csi-disk/controller/disk_volumes.h"
#include "csi-disk/sim/disk_service.h"
#include "test/catch.h"
#include "test/cloud/sim_cloud.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::disk {
namespace {

constexpr Patience kPatient = std::chrono::seconds(20);

struct SimulatedScene {
  SimulatedScene() {
    const nlohmann::json nodes{{"i-1", {{"zone", "sim-1a"}}}, {"i-2", {{"zone", "sim-1a"}}}};
    const auto told =
        http.exchange({.method = "POST", .url = cloud.url() + "/sim/nodes", .body = nodes.dump()}, kPatient);
    REQUIRE((told && told->status == 200));
  }
  NewDisk wanted(const std::string& name, Parameters parameters = {}) const {
    parameters.emplace("type", "cloud_essd");
    return {.name = name,
            .of_class = parse_disk_class(parameters, volumes.settings().cloud).value(),
            .size = {.required_bytes = 20 * kGiB}};
  }

  test::TemporaryFolder folder;
  SystemClock clock;
  DiskService service{clock, {.settling = std::chrono::milliseconds(30)}};
  test::SimCloud cloud{service, folder / "state"};
  test::FixedCredentials credentials;
  cloud::CurlClient http{"test"};
  cloud::AlibabaApi api{
      http, credentials, clock, {.url = cloud.url(), .version = std::string(AlibabaDisks::kVersion)}};
  AlibabaDisks alibaba{api, "sim-1"};
  DiskVolumes volumes{alibaba,
                      {.cloud = known_cloud("sim").value(),
                       .keys = {.place = "test/zone"},
                       .handle_prefix = "d-",
                       .region = "sim-1",
                       .place = "sim-1a",
                       .cluster = "uid-1"},
                      clock};
};

TEST_CASE_METHOD(SimulatedScene, "a volume's whole life is one of a cloud's disk", "[disk cloud]") {
  const Result<Disk> made = volumes.maker().create(wanted("pvc-1"), kPatient);
  INFO((made ? "" : made.error().message));
  REQUIRE(made);
  CHECK(made->zone == "sim-1a");
  CHECK(volumes.maker().create(wanted("pvc-1"), kPatient)->id == made->id);
  const auto attached = volumes.attachments().attach(made->id, "i-1", false, kPatient);
  REQUIRE(attached);
  CHECK(attached->at("csi.fs") == "new");
  CHECK("d-" + attached->at("serialNumber") == made->id);
  CHECK(volumes.attachments().attach(made->id, "i-1", false, kPatient)->at("csi.fs") == "maybe");
  CHECK(volumes.attachments().attach(made->id, "i-2", false, kPatient).error().code ==
        Code::kFailedPrecondition);
  CHECK(volumes.attachments().attach(made->id, "i-9", false, kPatient).error().code != Code::kUnavailable);
  CHECK(volumes.expand(made->id, {.required_bytes = 30 * kGiB}, kPatient).value() == 30);
  REQUIRE(volumes.modify(made->id, {{"performanceLevel", "PL0"}, {"diskTags/team", "a"}}, kPatient));
  const Result<Page<Disk>> listed = volumes.list("", 0, kPatient);
  REQUIRE(listed);
  REQUIRE(listed->items.size() == 1);
  CHECK(listed->items[0].nodes == std::vector<std::string>{"i-1"});
  CHECK(listed->items[0].performance.level == "PL0");
  REQUIRE(volumes.attachments().detach(made->id, "i-1", kPatient));
  REQUIRE(volumes.remove(made->id, kPatient));
  CHECK(volumes.get(made->id, kPatient).error().code == Code::kNotFound);
  CHECK(volumes.list("", 0, kPatient)->items.empty());
  const Result<Disk> again = volumes.maker().create(wanted("pvc-1"), kPatient);
  REQUIRE(again);
  CHECK(again->id != made->id);
}

TEST_CASE_METHOD(SimulatedScene, "copies and snapshots of a cloud's disk leave what they should",
                 "[disk cloud]") {
  const std::string source = volumes.maker().create(wanted("pvc-1"), kPatient).value().id;
  NewDisk copy = wanted("pvc-2");
  copy.source = DiskSource{.id = source};
  const Result<Disk> copied = volumes.maker().create(copy, kPatient);
  INFO((copied ? "" : copied.error().message));
  REQUIRE(copied);
  CHECK(volumes.list_snapshots("", "", 0, kPatient)->items.empty());
  const Result<Snapshot> cut = volumes.snapshots().take("snap-1", source, {}, kPatient);
  REQUIRE(cut);
  CHECK(volumes.list_snapshots(source, "", 0, kPatient)->items.size() == 1);
  Result<std::optional<Snapshot>> ready = volumes.find_snapshot(cut->id, kPatient);
  while (!(*ready)->ready) ready = volumes.find_snapshot(cut->id, kPatient);
  NewDisk restored = wanted("pvc-3");
  restored.source = DiskSource{.id = cut->id, .snapshot = true};
  CHECK(volumes.maker().create(restored, kPatient)->snapshot == cut->id);
  REQUIRE(volumes.snapshots().remove(cut->id, kPatient));
  CHECK(volumes.list_snapshots("", "", 0, kPatient)->items.empty());
  const std::string id =
      volumes.maker().create(wanted("pvc-4", {{"volumeDeleteSnapshotRetentionDays", "3"}}), kPatient)->id;
  REQUIRE(volumes.attachments().attach(id, "i-1", false, kPatient));
  REQUIRE(volumes.attachments().detach(id, "i-1", kPatient));
  REQUIRE(volumes.remove(id, kPatient));
  CHECK(volumes.list_snapshots("", "", 0, kPatient)->items.size() == 1);
}

TEST_CASE_METHOD(SimulatedScene, "a cloud that refuses, or is told nonsense, is told apart", "[disk cloud]") {
  CHECK(volumes.list("nonsense", 0, kPatient).error().code == Code::kAborted);
  CHECK(volumes.list_snapshots("", "nonsense", 0, kPatient).error().code == Code::kAborted);
  CHECK(volumes.get("d-none", kPatient).error().code == Code::kNotFound);
  CHECK(volumes.snapshots().remove("suite-there-is-none", kPatient).has_value());
  CHECK(volumes.snapshots().take("s", "d-none", {}, kPatient).error().code == Code::kNotFound);
  CHECK(volumes.expand("d-none", {.required_bytes = kGiB}, kPatient).error().code == Code::kNotFound);
  NewDisk restored = wanted("pvc-3");
  restored.source = DiskSource{.id = "s-none", .snapshot = true};
  CHECK(volumes.maker().create(restored, kPatient).error().code == Code::kNotFound);
  const std::string id = volumes.maker().create(wanted("pvc-1"), kPatient).value().id;
  const Result<std::map<std::string, std::string>> nowhere =
      volumes.attachments().attach(id, "i-none", false, kPatient);
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().code == Code::kNotFound);
}

TEST_CASE_METHOD(SimulatedScene, "volumes that are asked for at once do not meet", "[disk cloud]") {
  constexpr int kThreads = 8;
  std::atomic<int> done = 0;
  {
    PatientDisks patient(alibaba, clock);
    DiskVolumes together(patient, volumes.settings(), clock);
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([this, i, &together, &done] {
        const Result<Disk> made = together.maker().create(wanted("pvc-" + std::to_string(i)), kPatient);
        if (!made || !together.attachments().attach(made->id, "i-1", false, kPatient)) return;
        if (!together.expand(made->id, {.required_bytes = 30 * kGiB}, kPatient)) return;
        if (!together.attachments().detach(made->id, "i-1", kPatient)) return;
        if (together.remove(made->id, kPatient)) ++done;
      });
    }
  }
  CHECK(done == kThreads);
  CHECK(alibaba.list_disks("", 100, kPatient)->items.empty());
}

}  // namespace
}  // namespace holdfast::disk
