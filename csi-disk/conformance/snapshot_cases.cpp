#include <algorithm>

#include "common/base/result.h"
#include "csi-disk/conformance/trial.h"

namespace holdfast::disk {
namespace {

constexpr const char* kNoSuchSnapshot = "s-holdfastnosuch0000";
constexpr const char* kNoSuchDisk = "d-holdfastnosuch0000";

Verdict cut(Trial& trial) {
  HOLDFAST_TRY(const Disk disk, trial.make_disk());
  const auto before = trial.clock.now();
  HOLDFAST_TRY(const Snapshot snapshot, trial.make_snapshot(disk.id));
  HOLDFAST_CHECK(expect(snapshot.disk == disk.id, "it is told to be of disk '" + snapshot.disk + "'"));
  HOLDFAST_CHECK(
      expect(snapshot.gib == disk.gib, "it is told to have " + std::to_string(snapshot.gib) + " GiB"));
  const auto off = snapshot.cut - before;
  constexpr std::chrono::minutes kMostOff{10};
  HOLDFAST_CHECK(expect(off < kMostOff && off > -kMostOff, "it is told to be cut at another time"));
  HOLDFAST_TRY(const std::vector<Snapshot> named,
               must(trial.backend.snapshots_named(snapshot.name, trial.plan.deadline), "snapshots_named()"));
  HOLDFAST_CHECK(
      expect(named.size() == 1 && named.front().id == snapshot.id, "it is not found by its name alone"));
  HOLDFAST_TRY(const std::vector<Snapshot> none,
               must(trial.backend.snapshots({kNoSuchSnapshot}, trial.plan.deadline), "snapshots()"));
  HOLDFAST_CHECK(expect(none.empty(), "one that is not there is answered"));
  return absent(trial.backend.create_snapshot({.name = trial.fresh("snapshot"), .disk = kNoSuchDisk},
                                              trial.fresh("token"), trial.plan.deadline),
                "create_snapshot() of a disk that is not there");
}

Verdict one_per_token(Trial& trial) {
  HOLDFAST_TRY(const Disk disk, trial.make_disk());
  const SnapshotSpec wanted{.name = trial.fresh("once"), .disk = disk.id};
  const std::string token = trial.fresh("token");
  HOLDFAST_TRY(const std::string first,
               must(trial.backend.create_snapshot(wanted, token, trial.plan.deadline), "create_snapshot()"));
  trial.made_snapshot(first);
  HOLDFAST_TRY(
      const std::string second,
      must(trial.backend.create_snapshot(wanted, token, trial.plan.deadline), "create_snapshot() again"));
  if (second != first) trial.made_snapshot(second);
  return expect(first == second, "it made " + first + " and " + second);
}

Verdict listed(Trial& trial) {
  HOLDFAST_TRY(const Disk disk, trial.make_disk());
  HOLDFAST_TRY(const Disk other, trial.make_disk());
  std::vector<std::string> made;
  for (const std::string& of : {disk.id, other.id, disk.id}) {
    HOLDFAST_TRY(const Snapshot snapshot, trial.make_snapshot(of));
    if (of == disk.id) made.push_back(snapshot.id);
  }
  std::vector<std::string> seen;
  std::string from;
  constexpr int kMostPages = 100;
  for (int n = 0; n < kMostPages; ++n) {
    HOLDFAST_TRY(
        const Page<Snapshot> page,
        must(trial.backend.list_snapshots(disk.id, from, 1, trial.plan.deadline), "list_snapshots()"));
    HOLDFAST_CHECK(expect(page.items.size() <= 1, "a page has more than was asked for"));
    for (const Snapshot& each : page.items) seen.push_back(each.id);
    if (page.next.empty()) break;
    from = page.next;
  }
  std::ranges::sort(made);
  std::ranges::sort(seen);
  return expect(made == seen, "those of a disk are not listed once each, and no others");
}

Verdict fed(Trial& trial) {
  HOLDFAST_TRY(const Disk disk, trial.make_disk());
  HOLDFAST_TRY(const Snapshot snapshot, trial.make_snapshot(disk.id));
  HOLDFAST_TRY(const Disk copy, trial.make_disk(snapshot.id));
  HOLDFAST_CHECK(
      expect(copy.snapshot == snapshot.id, "it is told to be of snapshot '" + copy.snapshot + "'"));
  HOLDFAST_CHECK(
      must(trial.backend.delete_snapshot(snapshot.id, trial.plan.deadline), "delete_snapshot() after that"));
  HOLDFAST_TRY(const Disk now, trial.look(copy.id));
  return expect(now.state == DiskState::kAvailable, "the disk that was made of it is not there any more");
}

Verdict deleted(Trial& trial) {
  HOLDFAST_TRY(const Disk disk, trial.make_disk());
  HOLDFAST_TRY(const Snapshot snapshot, trial.make_snapshot(disk.id));
  for (int n = 0; n < 2; ++n) {
    HOLDFAST_CHECK(
        must(trial.backend.delete_snapshot(snapshot.id, trial.plan.deadline), "delete_snapshot()"));
  }
  HOLDFAST_CHECK(must(trial.backend.delete_snapshot(kNoSuchSnapshot, trial.plan.deadline),
                      "delete_snapshot() of one that never was"));
  HOLDFAST_TRY(const std::vector<Snapshot> found,
               must(trial.backend.snapshots({snapshot.id}, trial.plan.deadline), "snapshots()"));
  HOLDFAST_CHECK(expect(found.empty(), "it is deleted, and there"));
  HOLDFAST_TRY(const Disk now, trial.look(disk.id));
  return expect(now.state == DiskState::kAvailable, "its disk is not as it was");
}

}  // namespace

std::vector<TrialCase> snapshot_cases() {
  const auto snapshots = [](const Abilities& abilities) { return abilities.snapshots; };
  return {
      {.name = "snapshot: it is told as it was cut", .run = &cut, .needs = snapshots},
      {.name = "snapshot: calls with one token make one", .run = &one_per_token, .needs = snapshots},
      {.name = "snapshot: those of a disk are listed once, page by page", .run = &listed, .needs = snapshots},
      {.name = "snapshot: a disk is made of it, and stays without it", .run = &fed, .needs = snapshots},
      {.name = "snapshot: it can be deleted twice, and one that never was",
       .run = &deleted,
       .needs = snapshots},
  };
}

}  // namespace holdfast::disk
