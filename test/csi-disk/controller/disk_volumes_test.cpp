#include "csi-disk/controller/disk_volumes.h"

#include "test/catch.h"
#include "test/csi-disk/controller/disk_scene.h"

namespace holdfast::disk {
namespace {

template <class T>
void refuses(const Result<T>& result, Code code, const std::string& told) {
  REQUIRE_FALSE(result.has_value());
  INFO(result.error().message);
  CHECK(to_string(result.error().code) == to_string(code));
  CHECK_THAT(result.error().message, Catch::Contains(told));
}

TEST_CASE_METHOD(SlowDiskScene, "a disk is deleted when nobody has it, and for ever", "[disk volumes]") {
  const std::string id = create("pvc-1")->id;
  REQUIRE(attach(id, "i-1"));
  refuses(volumes->remove(id, kPatience), Code::kFailedPrecondition, "is attached to i-1");
  REQUIRE(detach(id, "i-1"));
  CHECK(volumes->remove(id, kPatience).has_value());
  CHECK(cloud.all_disks().empty());
  CHECK(volumes->remove(id, kPatience).has_value());
  CHECK(volumes->remove("no id of this cloud", kPatience).has_value());
}

TEST_CASE_METHOD(DiskScene, "another cluster's disk is neither deleted nor changed", "[disk volumes]") {
  const std::string id = create("pvc-1")->id;
  DiskVolumes other(cloud, settings_of("alibaba", "uid-2"), clock);
  const std::string told = "is of the cluster uid-1, and left alone";
  refuses(other.remove(id, kPatience), Code::kFailedPrecondition, told);
  refuses(other.expand(id, {.required_bytes = 40 * kGiB}, kPatience), Code::kFailedPrecondition, told);
  refuses(other.modify(id, {{"diskTags/k", "v"}}, kPatience), Code::kFailedPrecondition, told);
  CHECK(now(id).gib == 20);
  CHECK_FALSE(now(id).tags.contains("k"));
  REQUIRE(cloud.tag_disk(id, {}, {"csi.cluster"}, kPatience));
  CHECK(other.expand(id, {.required_bytes = 40 * kGiB}, kPatience));
  CHECK(other.remove(id, kPatience));
  const std::string untagged = cloud.put_disk({.id = {}, .gib = 20, .zone = "a"});
  CHECK(volumes->remove(untagged, kPatience));
}

TEST_CASE_METHOD(DiskScene, "a cloud that does not answer deletes nothing and makes nothing missing",
                 "[disk volumes]") {
  const std::string id = create("pvc-1")->id;
  cloud.fault = [](std::size_t, const std::string&) { return MemoryDisks::Fault::kThrottled; };
  refuses(volumes->remove(id, kPatience), Code::kUnavailable, "too many calls");
  refuses(volumes->get(id, kPatience), Code::kUnavailable, "too many calls");
  cloud.fault = [](std::size_t, const std::string&) { return MemoryDisks::Fault::kUnanswered; };
  refuses(volumes->get(id, kPatience), Code::kAborted, "timed out");
  cloud.fault = nullptr;
  CHECK(volumes->get(id, kPatience).has_value());
  cloud.drop_disk(id);
  refuses(volumes->get(id, kPatience), Code::kNotFound, "there is no disk " + id);
}

TEST_CASE_METHOD(SlowDiskScene, "a last snapshot is ready before its disk goes", "[disk volumes]") {
  const std::string id = create(wanted("pvc-1", {{"volumeDeleteSnapshotRetentionDays", "7"}}))->id;
  REQUIRE(attach(id, "i-1"));
  REQUIRE(detach(id, "i-1"));
  cloud.snapshots_fail = true;
  refuses(volumes->remove(id, kPatience), Code::kAborted, "taking a snapshot");
  CHECK(cloud.all_disks().size() == 1);
  cloud.snapshots_fail = false;
  REQUIRE(volumes->remove(id, kPatience));
  CHECK(cloud.all_disks().empty());
  const std::vector<Snapshot> kept = cloud.all_snapshots();
  REQUIRE(kept.size() == 1);
  CHECK(kept[0].ready);
  CHECK(kept[0].disk == id);
}

TEST_CASE_METHOD(SlowDiskScene, "a last snapshot is of what was on the disk at the end", "[disk volumes]") {
  const std::string id = create(wanted("pvc-1", {{"volumeDeleteSnapshotRetentionDays", "7"}}))->id;
  REQUIRE(attach(id, "i-1"));
  REQUIRE(detach(id, "i-1"));
  cloud.fault = [](std::size_t, const std::string& call) {
    return call == "delete_disk" ? std::optional(MemoryDisks::Fault::kNotSent) : std::nullopt;
  };
  for (int i = 0; i < 2; ++i)
    refuses(volumes->remove(id, kPatience), Code::kUnavailable, "connection refused");
  CHECK(cloud.all_snapshots().size() == 1);
  cloud.fault = nullptr;
  REQUIRE(attach(id, "i-2"));
  clock.advance(std::chrono::hours(1));
  REQUIRE(detach(id, "i-2"));
  const std::chrono::sys_seconds used = std::chrono::floor<std::chrono::seconds>(clock.now());
  REQUIRE(volumes->remove(id, kPatience));
  const std::vector<Snapshot> kept = cloud.all_snapshots();
  REQUIRE(kept.size() == 2);
  CHECK(std::max(kept[0].cut, kept[1].cut) >= used);
}

TEST_CASE_METHOD(SlowDiskScene, "of a disk that was never attached there is no last snapshot",
                 "[disk volumes]") {
  const std::string id = create(wanted("pvc-1", {{"volumeDeleteSnapshotRetentionDays", "7"}}))->id;
  REQUIRE(volumes->remove(id, kPatience));
  CHECK(cloud.all_disks().empty());
  CHECK(cloud.all_snapshots().empty());
  const std::string other = create(wanted("pvc-2", {{"volumeDeleteSnapshotRetentionDays", "7"}}))->id;
  REQUIRE(
      cloud.tag_disk(other, {{"csi.fs", "maybe"}}, {}, kPatience));  // as of one made from another's snapshot
  cloud.refuses_unused = true;
  refuses(snapshot("snap-1", other), Code::kFailedPrecondition, "never attached");
  REQUIRE(volumes->remove(other, kPatience));
  CHECK(cloud.all_disks().empty());
}

TEST_CASE_METHOD(SlowDiskScene, "a disk grows to whole GiB, and never shrinks", "[disk volumes]") {
  const std::string id = create("pvc-1")->id;
  CHECK(volumes->expand(id, {.required_bytes = 30 * kGiB + 1}, kPatience).value() == 31);
  CHECK(now(id).gib == 31);
  cloud.forget_calls();
  CHECK(volumes->expand(id, {.required_bytes = 25 * kGiB}, kPatience).value() == 31);
  CHECK(cloud.calls().count("grow_disk") == 0);
  refuses(volumes->expand(id, {.required_bytes = kGiB, .limit_bytes = 30 * kGiB}, kPatience),
          Code::kOutOfRange, "above the limit");
  refuses(volumes->expand(id, {.required_bytes = 40000 * kGiB}, kPatience), Code::kOutOfRange,
          "not supported");
  refuses(volumes->expand("d-none", {.required_bytes = kGiB}, kPatience), Code::kNotFound, "d-none");
  refuses(volumes->expand(id, {.required_bytes = 40 * kGiB}, std::chrono::milliseconds(50)), Code::kAborted,
          "under way");
  CHECK(volumes->expand(id, {.required_bytes = 40 * kGiB}, kPatience).value() == 40);
}

TEST_CASE_METHOD(SlowDiskScene, "a disk is changed wholly or not at all", "[disk volumes]") {
  const std::string id = create(wanted("pvc-1", {{"performanceLevel", "PL1"}, {"diskTags", "old:1"}}))->id;
  REQUIRE(volumes->modify(id, {{"performanceLevel", "PL0"}, {"diskTags/team", "a"}, {"-diskTags/old", ""}},
                          kPatience));
  const Disk changed = now(id);
  CHECK(changed.performance.level == "PL0");
  CHECK(changed.tags.at("team") == "a");
  CHECK_FALSE(changed.tags.contains("old"));
  cloud.forget_calls();
  REQUIRE(volumes->modify(id, {{"performanceLevel", "PL0"}, {"diskTags/team", "a"}}, kPatience));
  CHECK(cloud.calls() == std::map<std::string, std::size_t>{{"disks", 1}});
  for (const Parameters& refused : {Parameters{{"performanceLevel", "PL1"}, {"zoneId", "b"}},
                                    {{"performanceLevel", "PL3"}, {"diskTags/team", "b"}},
                                    {{"performanceLevel", "PL1"}, {"diskTags/csi.fs", "new"}}}) {
    refuses(volumes->modify(id, refused, kPatience), Code::kInvalidArgument, "");
    CHECK(now(id).performance == changed.performance);
    CHECK(now(id).tags == changed.tags);
  }
  refuses(volumes->modify("d-none", {{"type", "cloud_ssd"}}, kPatience), Code::kNotFound, "d-none");
  REQUIRE(volumes->modify(id, {{"performanceLevel", "PL1"}}, kPatience));
  REQUIRE(volumes->modify(id, {{"performanceLevel", "PL0"}}, kPatience));
  CHECK(now(id).performance.level == "PL0");
}

TEST_CASE_METHOD(SlowDiskScene,
                 "of a change that the cloud refuses in part, the answer does not say that nothing was done",
                 "[disk volumes]") {
  const std::string id = create("pvc-1")->id;
  const Performance before = now(id).performance;
  for (const Parameters& impossible : {Parameters{{"performanceLevel", "PL0"}, {"burstingEnabled", "true"}},
                                       {{"type", "cloud_ssd"}, {"provisionedIops", "100"}}}) {
    refuses(volumes->modify(id, impossible, kPatience), Code::kInvalidArgument, "is bought with other types");
    CHECK(now(id).performance == before);
  }
  const Parameters change{{"type", "cloud_auto"}, {"burstingEnabled", "true"}};
  cloud.refuses_bursting = true;
  refuses(volumes->modify(id, change, kPatience), Code::kInternal, "the rest of the change has been made");
  CHECK(now(id).performance.type == "cloud_auto");
  refuses(volumes->modify(id, {{"burstingEnabled", "true"}}, kPatience), Code::kInvalidArgument, "Bursting");
  cloud.refuses_bursting = false;
  REQUIRE(volumes->modify(id, change, kPatience));
  CHECK(now(id).performance.bursting == true);
}

TEST_CASE_METHOD(SlowDiskScene, "what a cloud does not tell of a disk is asked for, and not waited for",
                 "[disk volumes]") {
  const std::string id =
      cloud.put_disk({.id = {}, .gib = 20, .performance = {.type = "cloud_essd"}, .zone = "a"});
  REQUIRE(volumes->modify(id, {{"performanceLevel", "PL0"}}, kPatience));
  clock.advance(std::chrono::seconds(1));
  CHECK(now(id).performance.level == "PL0");
}

TEST_CASE_METHOD(SlowDiskScene, "a snapshot is told when it is cut, and ready later", "[disk volumes]") {
  const std::string id = create("pvc-1")->id;
  const Result<Snapshot> cut = snapshot("snap-1", id);
  REQUIRE(cut);
  CHECK_FALSE(cut->ready);
  CHECK(cut->gib == 20);
  restart();
  CHECK(snapshot("snap-1", id)->id == cut->id);
  clock.advance(std::chrono::seconds(1));
  CHECK(snapshot("snap-1", id)->ready);
  refuses(snapshot("snap-1", create("pvc-2")->id), Code::kAlreadyExists, "one of disk " + id);
  refuses(snapshot("snap-2", "d-none"), Code::kNotFound, "no disk d-none");
  CHECK(volumes->snapshots().remove(cut->id, kPatience).has_value());
  CHECK(volumes->snapshots().remove(cut->id, kPatience).has_value());
  CHECK(volumes->snapshots().remove("no id", kPatience).has_value());
  CHECK(cloud.all_snapshots().empty());
}

TEST_CASE_METHOD(SlowDiskScene, "a snapshot that has failed is taken anew", "[disk volumes]") {
  const std::string id = create("pvc-1")->id;
  cloud.snapshots_fail = true;
  const Result<Snapshot> first = snapshot("snap-1", id);
  REQUIRE(first);
  clock.advance(std::chrono::seconds(1));
  CHECK(cloud.all_snapshots().at(0).failed);
  cloud.snapshots_fail = false;
  const Result<Snapshot> second = snapshot("snap-1", id);
  REQUIRE(second);
  CHECK(second->id != first->id);
  CHECK(cloud.all_snapshots().size() == 1);
}

TEST_CASE_METHOD(DiskScene, "lists come page by page, and bear that something on them goes",
                 "[disk volumes]") {
  for (int i = 0; i < 5; ++i) REQUIRE(create("pvc-" + std::to_string(i)));
  const Result<Page<Disk>> first = volumes->list("", 2, kPatience);
  REQUIRE(first);
  REQUIRE(first->items.size() == 2);
  REQUIRE(volumes->remove(first->items[1].id, kPatience));
  const Result<Page<Disk>> rest = volumes->list(first->next, 0, kPatience);
  REQUIRE(rest);
  CHECK(rest->items.size() == 3);
  CHECK(rest->next.empty());
  refuses(volumes->list("nonsense", 2, kPatience), Code::kAborted, "is not one that was given out");
  refuses(volumes->list_snapshots("", "nonsense", 2, kPatience), Code::kAborted,
          "not one that was given out");
}

}  // namespace
}  // namespace holdfast::disk
