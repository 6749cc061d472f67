// Every call that an RPC makes of the cloud goes wrong once, in every way, and the process may be another one
// afterwards: asked again until it succeeds, it has done what it should, once, and nothing is left.
#include <functional>
#include <iostream>

#include "common/csi/answers.h"
#include "test/catch.h"
#include "test/csi-disk/controller/disk_scene.h"

namespace holdfast::disk {
namespace {

using Fault = MemoryDisks::Fault;

struct Work {
  const char* name;
  std::function<std::string(DiskScene&)> prepare;  // the id that the rest works on
  std::function<Status(DiskScene&, const std::string& id)> run;
  std::function<void(DiskScene&, const std::string& id)> check;
  // May leave nothing behind that nobody knows: errors make the caller ask again.
  bool makes = false;
};

Status forget(const Result<Disk>& result) { return result ? Status{} : tl::unexpected(result.error()); }

std::string none(DiskScene& /*scene*/) { return {}; }
std::string one_disk(DiskScene& scene) { return scene.create("pvc-1")->id; }
std::string attached_disk(DiskScene& scene) {
  const std::string id = one_disk(scene);
  REQUIRE(scene.attach(id, "i-1"));
  return id;
}

void has_disks(DiskScene& scene, std::size_t count) {
  CHECK(scene.cloud.all_disks().size() == count);
  for (const Disk& each : scene.cloud.all_disks()) CHECK(each.tags.at("csi.state") == "ready");
  CHECK(scene.volumes->maker().open_attempts() == 0);
}

NewDisk copy_of(const DiskScene& scene, const std::string& id) {
  NewDisk disk = scene.wanted("pvc-2");
  disk.source = DiskSource{.id = id};
  return disk;
}

const std::vector<Work>& works() {
  static const std::vector<Work> all = {
      {"CreateVolume", none, [](DiskScene& s, const std::string&) { return forget(s.create("pvc-1")); },
       [](DiskScene& s, const std::string&) { has_disks(s, 1); }, true},
      {"CreateVolume, the first place sold out",
       [](DiskScene& s) {
         s.cloud.sold_out = {{"a", "cloud_essd"}};
         return std::string();
       },
       [](DiskScene& s, const std::string&) {
         return forget(s.create(s.wanted("pvc-1", {{"zoneId", "a,b"}})));
       },
       [](DiskScene& s, const std::string&) { has_disks(s, 1); }, true},
      {"CreateVolume from a snapshot",
       [](DiskScene& s) {
         const std::string id = s.snapshot("snap-1", one_disk(s))->id;
         s.clock.advance(std::chrono::seconds(2));
         return id;
       },
       [](DiskScene& s, const std::string& id) {
         NewDisk disk = s.wanted("pvc-2");
         disk.source = DiskSource{.id = id, .snapshot = true};
         return forget(s.create(disk));
       },
       [](DiskScene& s, const std::string&) {
         has_disks(s, 2);
         CHECK(s.cloud.all_snapshots().size() == 1);
       },
       true},
      {"CreateVolume from a volume", one_disk,
       [](DiskScene& s, const std::string& id) { return forget(s.create(copy_of(s, id))); },
       [](DiskScene& s, const std::string&) {
         has_disks(s, 2);
         CHECK(s.cloud.all_snapshots().empty());
       },
       true},
      {"CreateVolume of a disk that is there",
       [](DiskScene& s) { return s.cloud.put_disk({.id = {}, .gib = 20, .zone = "a"}); },
       [](DiskScene& s, const std::string& id) {
         return forget(s.create(s.wanted("pvc-1", {{"volume.alibabacloud.com/disk-id", id}})));
       },
       [](DiskScene& s, const std::string&) { has_disks(s, 1); }, true},
      {"DeleteVolume", one_disk,
       [](DiskScene& s, const std::string& id) { return s.volumes->remove(id, kPatience); },
       [](DiskScene& s, const std::string&) { has_disks(s, 0); }},
      {"DeleteVolume with a last snapshot",
       [](DiskScene& s) {
         const std::string id = s.create(s.wanted("pvc-1", {{"volumeDeleteSnapshotRetentionDays", "7"}}))->id;
         REQUIRE(s.attach(id, "i-1"));
         REQUIRE(s.detach(id, "i-1"));
         return id;
       },
       [](DiskScene& s, const std::string& id) { return s.volumes->remove(id, kPatience); },
       [](DiskScene& s, const std::string&) {
         has_disks(s, 0);
         REQUIRE(s.cloud.all_snapshots().size() == 1);
         CHECK(s.cloud.all_snapshots()[0].ready);
       }},
      {"ControllerPublishVolume", one_disk,
       [](DiskScene& s, const std::string& id) {
         const auto done = s.attach(id, "i-1");
         return done ? Status{} : Status(tl::unexpected(done.error()));
       },
       [](DiskScene& s, const std::string& id) {
         CHECK(s.now(id).nodes == std::vector<std::string>{"i-1"});
         CHECK(s.now(id).tags.at("csi.fs") == "maybe");
       },
       true},
      {"ControllerUnpublishVolume", attached_disk,
       [](DiskScene& s, const std::string& id) { return s.detach(id, "i-1"); },
       [](DiskScene& s, const std::string& id) { CHECK(s.now(id).nodes.empty()); }},
      {"ControllerUnpublishVolume from all nodes", attached_disk,
       [](DiskScene& s, const std::string& id) { return s.detach(id, ""); },
       [](DiskScene& s, const std::string& id) { CHECK(s.now(id).nodes.empty()); }},
      {"ControllerExpandVolume", attached_disk,
       [](DiskScene& s, const std::string& id) {
         const auto grown = s.volumes->expand(id, {.required_bytes = 40 * kGiB}, kPatience);
         return grown ? Status{} : Status(tl::unexpected(grown.error()));
       },
       [](DiskScene& s, const std::string& id) { CHECK(s.now(id).gib == 40); }},
      {"ControllerModifyVolume", attached_disk,
       [](DiskScene& s, const std::string& id) {
         return s.volumes->modify(id, {{"performanceLevel", "PL0"}, {"diskTags/k", "v"}}, kPatience);
       },
       [](DiskScene& s, const std::string& id) {
         CHECK(s.now(id).performance.level == "PL0");
         CHECK(s.now(id).tags.at("k") == "v");
       }},
      {"ControllerModifyVolume in two calls", attached_disk,
       [](DiskScene& s, const std::string& id) {
         return s.volumes->modify(id, {{"type", "cloud_auto"}, {"burstingEnabled", "true"}}, kPatience);
       },
       [](DiskScene& s, const std::string& id) {
         CHECK(s.now(id).performance.type == "cloud_auto");
         CHECK(s.now(id).performance.bursting == true);
       }},
      {"CreateSnapshot", attached_disk,
       [](DiskScene& s, const std::string& id) {
         const auto cut = s.snapshot("snap-1", id);
         return cut ? Status{} : Status(tl::unexpected(cut.error()));
       },
       [](DiskScene& s, const std::string&) { CHECK(s.cloud.all_snapshots().size() == 1); }, true},
      {"DeleteSnapshot",
       [](DiskScene& s) {
         const std::string id = s.snapshot("snap-1", one_disk(s))->id;
         s.clock.advance(std::chrono::seconds(2));
         return id;
       },
       [](DiskScene& s, const std::string& id) { return s.volumes->snapshots().remove(id, kPatience); },
       [](DiskScene& s, const std::string&) { CHECK(s.cloud.all_snapshots().empty()); }},
  };
  return all;
}

// Runs it once; true when it has succeeded.
bool succeeds(DiskScene& scene, const Work& work, const std::string& id) {
  try {
    const Status done = work.run(scene, id);
    if (done) return true;
    INFO(done.error().message);
    CHECK(csi::reaction_to(done.error().code) == csi::Reaction::kAskAgain);
    return false;
  } catch (const MemoryDisks::Killed&) {
    scene.restart();
    return false;
  }
}

// How many calls the work makes when nothing goes wrong.
std::size_t calls_of(const Work& work) {
  SlowDiskScene scene;
  const std::string id = work.prepare(scene);
  scene.cloud.forget_calls();
  REQUIRE(work.run(scene, id));
  work.check(scene, id);
  return scene.cloud.call_count();
}

void try_point(const Work& work, std::size_t point, Fault fault, bool restarted, std::size_t times) {
  SlowDiskScene scene;
  const std::string id = work.prepare(scene);
  scene.cloud.forget_calls();
  scene.cloud.fault = [point, fault, times](std::size_t number, const std::string&) {
    return number >= point && number < point + times ? std::optional(fault) : std::nullopt;
  };
  constexpr int kMostTries = 12;
  for (int tries = 0; tries < kMostTries; ++tries) {
    if (succeeds(scene, work, id)) {
      scene.cloud.fault = nullptr;
      work.check(scene, id);
      // The same once more changes nothing.
      REQUIRE(succeeds(scene, work, id));
      work.check(scene, id);
      return;
    }
    if (restarted) scene.restart();
  }
  FAIL("it never succeeds");
}

TEST_CASE("whatever goes wrong with a call to the cloud, the same RPC ends as it should", "[disk faults]") {
  std::size_t points = 0;
  for (const Work& work : works()) {
    const std::size_t calls = calls_of(work);
    for (std::size_t point = 1; point <= calls; ++point) {
      for (const Fault fault :
           {Fault::kNotSent, Fault::kThrottled, Fault::kLost, Fault::kUnanswered, Fault::kKilled}) {
        for (const bool restarted : {false, true}) {
          for (const std::size_t times : {1U, 2U}) {
            INFO(work.name << ", call " << point << " of " << calls << ", fault " << static_cast<int>(fault)
                           << (restarted ? ", restarted" : "") << ", " << times << " times");
            try_point(work, point, fault, restarted, times);
            ++points;
          }
        }
      }
    }
  }
  std::cout << "fault points of csi-disk's controller: " << points << "\n";
  CHECK(points > 1000);
}

}  // namespace
}  // namespace holdfast::disk
