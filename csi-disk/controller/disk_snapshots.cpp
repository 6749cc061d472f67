#include "csi-disk/controller/disk_snapshots.h"

#include <optional>
#include <utility>
#include <vector>

#include "csi-disk/volumes/disk_names.h"
#include "csi-disk/volumes/disk_tags.h"

namespace holdfast::disk {
namespace {

Tags tags_of(Tags of_class, const std::string& name, const std::string& cluster) {
  of_class.emplace(kNameTag, name);
  if (!cluster.empty()) of_class.emplace(kClusterTag, cluster);
  return of_class;
}

// Source: ECS, errors of CreateSnapshot.
bool is_of_unused_disk(const cloud::CallError& error) {
  return error.code.find("NeverAttached") != std::string::npos ||
         error.code.find("NeverUsed") != std::string::npos;
}

bool is_cut(const Snapshot& snapshot) {
  return snapshot.ready || snapshot.cut.time_since_epoch().count() != 0;
}

}  // namespace

Result<Snapshot> DiskSnapshots::take(const std::string& name, const std::string& disk,
                                     const SnapshotClass& of_class, Patience patience) {
  const Budget budget = looks_.budget(patience);
  if (!looks_.backend().abilities().snapshots)
    return fail(Code::kInvalidArgument, "this cloud has no snapshots");
  const std::string known = looks_.name_of(name);
  HOLDFAST_TRY(std::optional<Snapshot> taken,
               take(SnapshotSpec{.name = known,
                                 .disk = disk,
                                 .keep_days = of_class.keep_days,
                                 .resource_group = of_class.resource_group,
                                 .tags = tags_of(of_class.tags, known, looks_.settings().cluster)},
                    false, budget));
  if (taken) return *std::move(taken);
  return fail(Code::kFailedPrecondition,
              "disk " + disk + " was never attached, and this cloud takes no snapshot of such: use it once");
}

Result<std::optional<Snapshot>> DiskSnapshots::take_last(const Disk& disk, const std::string& deletion,
                                                         std::uint32_t keep_days, const Budget& budget) {
  const std::string name = last_snapshot_name(disk.id, deletion);
  return take(SnapshotSpec{.name = name,
                           .disk = disk.id,
                           .keep_days = keep_days,
                           .tags = tags_of({}, name, looks_.settings().cluster)},
              true, budget);
}

Result<std::optional<Snapshot>> DiskSnapshots::take(const SnapshotSpec& spec, bool until_ready,
                                                    const Budget& budget) {
  const std::string what = "taking a snapshot of disk " + spec.disk;
  HOLDFAST_TRY(std::optional<Snapshot> there, find_taken(spec, budget));
  if (!there) {
    HOLDFAST_TRY(const bool used, ask(spec, budget));
    if (!used) return std::nullopt;
  }
  for (;;) {
    if (there && (until_ready ? there->ready : is_cut(*there))) break;
    if (there && !budget.wait()) return under_way(what);
    HOLDFAST_TRY(there, find_taken(spec, budget));
    if (!there && !budget.wait()) return under_way(what);
  }
  attempts_.forget(spec.name);
  return there;
}

Result<std::optional<Snapshot>> DiskSnapshots::find_taken(const SnapshotSpec& spec, const Budget& budget) {
  HOLDFAST_TRY(std::vector<Snapshot> there, looks_.snapshots_named(spec.name, budget));
  std::optional<Snapshot> found;
  for (Snapshot& each : there) {
    if (each.failed) {
      cloud::Done done = looks_.backend().delete_snapshot(each.id, budget.left());
      if (!done) return told(std::move(done).error(), "delete snapshot " + each.id + ", which has failed");
      attempts_.forget(spec.name);
    } else if (each.disk != spec.disk) {
      return fail(Code::kAlreadyExists, "snapshot " + spec.name + " is there as " + each.id +
                                            ", which is one of disk " + each.disk);
    } else if (!found) {
      found = std::move(each);
    }
  }
  return found;
}

// False: the disk was never used, so that the cloud takes none.
Result<bool> DiskSnapshots::ask(const SnapshotSpec& spec, const Budget& budget) {
  HOLDFAST_CHECK(looks_.get(spec.disk, budget));
  const std::string token = attempts_.token_of_now(spec.name, looks_.clock().since_boot());
  cloud::Answer<std::string> made = looks_.backend().create_snapshot(spec, token, budget.left());
  if (made) return true;
  if (made.error().end != cloud::CallEnd::kUnknownOutcome) attempts_.forget(spec.name);
  if (is_of_unused_disk(made.error())) return false;
  Error error = cloud::to_error(std::move(made).error().within("take a snapshot of disk " + spec.disk));
  // The cloud does something else to the disk, as it does to one that is being made.
  if (error.code == Code::kFailedPrecondition || error.code == Code::kAlreadyExists)
    error.code = Code::kAborted;
  return tl::unexpected(std::move(error));
}

Status DiskSnapshots::remove(const std::string& id, Patience patience) const {
  const Budget budget = looks_.budget(patience);
  HOLDFAST_TRY(const std::optional<Snapshot> there, looks_.find_snapshot(id, budget));
  if (!there) return {};
  cloud::Done done = looks_.backend().delete_snapshot(id, budget.left());
  if (!done) return told(std::move(done).error(), "delete snapshot " + id);
  return {};
}

}  // namespace holdfast::disk
