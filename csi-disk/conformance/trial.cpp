#include "csi-disk/conformance/trial.h"

#include <algorithm>

#include "common/base/result.h"

namespace holdfast::disk {
namespace {

constexpr std::chrono::milliseconds kFirstLook{5};
constexpr std::chrono::milliseconds kMostBetweenLooks{1000};

}  // namespace

std::string Trial::fresh(std::string_view what) {
  const std::lock_guard lock(mutex_);
  return plan.run + "-" + std::string(what) + "-" + std::to_string(++names_);
}

DiskSpec Trial::spec(const std::string& name) const {
  return {.name = name, .gib = plan.gib, .performance = plan.performance, .zone = plan.zone};
}

void Trial::made_disk(const std::string& id) {
  const std::lock_guard lock(mutex_);
  disks_.push_back(id);
}
void Trial::made_snapshot(const std::string& id) {
  const std::lock_guard lock(mutex_);
  snapshots_.push_back(id);
}

Seen<Disk> Trial::look(const std::string& id) {
  HOLDFAST_TRY(const std::vector<Disk> found, must(backend.disks({id}, plan.deadline), "disks()"));
  if (found.size() == 1 && found.front().id == id) return found.front();
  return broken("disks() does not answer " + id + ", which is there");
}

Seen<Snapshot> Trial::look_snapshot(const std::string& id) {
  HOLDFAST_TRY(const std::vector<Snapshot> found,
               must(backend.snapshots({id}, plan.deadline), "snapshots()"));
  if (found.size() == 1 && found.front().id == id) return found.front();
  return broken("snapshots() does not answer " + id + ", which is there");
}

Seen<Disk> Trial::wait_for(const std::string& id, const std::function<bool(const Disk&)>& wanted,
                           std::string_view what) {
  const auto end = clock.since_boot() + plan.settling;
  std::chrono::milliseconds pause = kFirstLook;
  for (;;) {
    HOLDFAST_TRY(const Disk disk, look(id));
    if (wanted(disk)) return disk;
    if (clock.since_boot() >= end) return broken("disk " + id + " is never " + std::string(what));
    clock.sleep(pause);
    pause = std::min(2 * pause, kMostBetweenLooks);
  }
}

Seen<Disk> Trial::wait_for(const std::string& id, DiskState wanted) {
  const std::string_view what = wanted == DiskState::kAvailable ? "available" : "in use";
  return wait_for(
      id, [wanted](const Disk& disk) { return disk.state == wanted; }, what);
}

Verdict Trial::wait_gone(const std::string& id) {
  const auto end = clock.since_boot() + plan.settling;
  std::chrono::milliseconds pause = kFirstLook;
  for (;;) {
    HOLDFAST_TRY(const std::vector<Disk> found, must(backend.disks({id}, plan.deadline), "disks()"));
    if (found.empty()) return {};
    if (clock.since_boot() >= end) return broken("disk " + id + " was deleted, and is there");
    clock.sleep(pause);
    pause = std::min(2 * pause, kMostBetweenLooks);
  }
}

Seen<Disk> Trial::make_disk(const std::string& snapshot) {
  DiskSpec wanted = spec(fresh("disk"));
  wanted.snapshot = snapshot;
  HOLDFAST_TRY(const std::string id,
               must(backend.create_disk(wanted, fresh("token"), plan.deadline), "create_disk()"));
  made_disk(id);
  return wait_for(id, DiskState::kAvailable);
}

Seen<Disk> Trial::make_attached() {
  HOLDFAST_TRY(const Disk disk, make_disk());
  HOLDFAST_CHECK(must(backend.attach_disk(disk.id, plan.node, plan.deadline), "attach_disk()"));
  return wait_for(disk.id, DiskState::kInUse);
}

Seen<Snapshot> Trial::make_snapshot(const std::string& disk) {
  const SnapshotSpec wanted{.name = fresh("snapshot"), .disk = disk};
  HOLDFAST_TRY(const std::string id,
               must(backend.create_snapshot(wanted, fresh("token"), plan.deadline), "create_snapshot()"));
  made_snapshot(id);
  const auto end = clock.since_boot() + plan.settling;
  for (;;) {
    HOLDFAST_TRY(const Snapshot now, look_snapshot(id));
    if (now.ready) return now;
    if (now.failed) return broken("snapshot " + id + " has failed");
    if (clock.since_boot() >= end) return broken("snapshot " + id + " is never ready");
    clock.sleep(kFirstLook);
  }
}

Verdict Trial::clean_disk(const std::string& id) {
  HOLDFAST_TRY(const std::vector<Disk> found, must(backend.disks({id}, plan.deadline), "disks()"));
  if (found.empty()) return {};
  HOLDFAST_TRY(const Disk disk, wait_for(
                                    id,
                                    [](const Disk& each) {
                                      return each.state == DiskState::kAvailable ||
                                             each.state == DiskState::kInUse;
                                    },
                                    "at rest"));
  for (const std::string& node : disk.nodes) {
    HOLDFAST_CHECK(must(backend.detach_disk(id, node, plan.deadline), "detach_disk()"));
  }
  HOLDFAST_TRY(const Disk free, wait_for(id, DiskState::kAvailable));
  HOLDFAST_CHECK(must(backend.delete_disk(free.id, plan.deadline), "delete_disk()"));
  return wait_gone(id);
}

// Goes on after a failure, and tells all that is left.
Verdict Trial::clean() {
  std::string left;
  for (const std::string& id : snapshots_) {
    const Verdict done = must(backend.delete_snapshot(id, plan.deadline), "delete_snapshot()");
    if (!done) left += " snapshot " + id + " (" + done.error() + ")";
  }
  for (const std::string& id : disks_) {
    const Verdict done = clean_disk(id);
    if (!done) left += " disk " + id + " (" + done.error() + ")";
  }
  return expect(left.empty(), "left behind:" + left);
}

}  // namespace holdfast::disk
