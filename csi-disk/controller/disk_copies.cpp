#include <algorithm>
#include <utility>

#include "common/csi/answers.h"
#include "csi-disk/controller/disk_plan.h"
#include "csi-disk/volumes/disk_names.h"

// Disks that are made from other disks, by a temporary snapshot.
namespace holdfast::disk {
namespace {

bool is_final(const Error& error) { return csi::reaction_to(error.code) != csi::Reaction::kAskAgain; }

}  // namespace

Result<std::string> DiskMaker::make_copy(const Plan& plan, const Budget& budget) {
  HOLDFAST_TRY(const Snapshot cut, temporary_snapshot(plan, budget));
  Result<std::string> made = make_from(plan, cut.id, cut.gib, budget);
  if (made) return made;
  // The snapshot is ours, and not what the caller calls the source.
  if (made.error().code == Code::kNotFound) made.error().code = Code::kAborted;
  if (is_final(made.error())) {
    HOLDFAST_CHECK(looks_.drop_snapshots_named(clone_snapshot_name(plan.name), budget));
    copies_.forget(clone_snapshot_name(plan.name));
  }
  return made;
}

// One of an earlier call, or a new one: the same content, as the copy is asked for once.
Result<Snapshot> DiskMaker::temporary_snapshot(const Plan& plan, const Budget& budget) {
  const std::string name = clone_snapshot_name(plan.name);
  const std::string& source = plan.wanted.source->id;
  HOLDFAST_TRY(std::vector<Snapshot> there, looks_.snapshots_named(name, budget));
  const auto is_useless = [&source](const Snapshot& each) { return each.failed || each.disk != source; };
  if (std::ranges::any_of(there, is_useless)) {
    HOLDFAST_CHECK(looks_.drop_snapshots_named(name, budget));
    copies_.forget(name);
    there.clear();
  }
  if (there.empty()) HOLDFAST_CHECK(cut_source(plan, name, budget));
  for (;;) {
    HOLDFAST_TRY(there, looks_.snapshots_named(name, budget));
    if (!there.empty() && there.front().ready) return there.front();
    if (!budget.wait()) return under_way("copying disk " + source);
  }
}

Status DiskMaker::cut_source(const Plan& plan, const std::string& name, const Budget& budget) {
  constexpr std::uint32_t kKeptDays = 7;
  const std::string& source = plan.wanted.source->id;
  HOLDFAST_TRY(const Disk disk, looks_.get(source, budget));
  if (plan.wanted.size.required_bytes != 0 && plan.wanted.size.required_bytes < disk.gib * kGiB)
    return fail(Code::kOutOfRange, "the volume would be smaller than its source, disk " + source);
  HOLDFAST_CHECK(specs_of(plan.wanted, looks_.settings(), disk.gib, 0));
  const SnapshotSpec spec{.name = name, .disk = source, .keep_days = kKeptDays, .tags = plan.tags};
  const std::string token = copies_.token_of_now(name, looks_.clock().since_boot());
  cloud::Answer<std::string> made = looks_.backend().create_snapshot(spec, token, budget.left());
  if (made) return {};
  if (made.error().end != cloud::CallEnd::kUnknownOutcome) copies_.forget(name);
  return told(std::move(made).error(), "take a snapshot of disk " + source);
}

}  // namespace holdfast::disk
