#include "common/base/result.h"
#include "csi-disk/conformance/trial.h"

namespace holdfast::disk {
namespace {

constexpr const char* kNoSuchDisk = "d-holdfastnosuch0000";

Verdict has_gib(Trial& trial, const std::string& id, std::uint64_t gib) {
  HOLDFAST_TRY(const Disk now,
               trial.wait_for(
                   id, [gib](const Disk& disk) { return disk.gib >= gib && disk.state != DiskState::kOther; },
                   "as large as it was to be"));
  return expect(now.gib == gib, "it has " + std::to_string(now.gib) + " GiB, not " + std::to_string(gib));
}

Verdict grows_as(Trial& trial, const Disk& disk) {
  const std::string token = trial.fresh("token");
  const std::uint64_t gib = trial.plan.more_gib;
  HOLDFAST_CHECK(must(trial.backend.grow_disk(disk.id, gib, token, trial.plan.deadline), "grow_disk()"));
  HOLDFAST_CHECK(has_gib(trial, disk.id, gib));
  HOLDFAST_CHECK(must(trial.backend.grow_disk(disk.id, gib, token, trial.plan.deadline),
                      "grow_disk() again with its token"));
  HOLDFAST_CHECK(must(trial.backend.grow_disk(disk.id, gib, trial.fresh("token"), trial.plan.deadline),
                      "grow_disk() to the size that it has"));
  HOLDFAST_CHECK(must(trial.backend.grow_disk(disk.id, disk.gib, trial.fresh("token"), trial.plan.deadline),
                      "grow_disk() to less than it has"));
  return has_gib(trial, disk.id, gib);
}

Verdict grows(Trial& trial) {
  HOLDFAST_TRY(const Disk disk, trial.make_disk());
  HOLDFAST_CHECK(grows_as(trial, disk));
  return absent(
      trial.backend.grow_disk(kNoSuchDisk, trial.plan.more_gib, trial.fresh("token"), trial.plan.deadline),
      "grow_disk() of one that is not there");
}

Verdict grows_attached(Trial& trial) {
  HOLDFAST_TRY(const Disk disk, trial.make_attached());
  HOLDFAST_CHECK(grows_as(trial, disk));
  HOLDFAST_TRY(const Disk now, trial.look(disk.id));
  return expect(now.state == DiskState::kInUse && now.nodes == disk.nodes, "it is not attached any more");
}

Verdict modifies(Trial& trial) {
  const Performance& wanted = trial.plan.modified;
  if (wanted == Performance{}) return {};
  HOLDFAST_TRY(const Disk disk, trial.make_disk());
  for (int n = 0; n < 2; ++n) {
    HOLDFAST_CHECK(must(trial.backend.modify_disk(disk.id, wanted, trial.fresh("token"), trial.plan.deadline),
                        "modify_disk()"));
    const auto as_wanted = [&wanted](const Disk& now) {
      const Performance& is = now.performance;
      return now.state == DiskState::kAvailable && (wanted.type.empty() || is.type == wanted.type) &&
             (wanted.level.empty() || is.level == wanted.level) && (!wanted.iops || is.iops == wanted.iops) &&
             (!wanted.bursting || is.bursting == wanted.bursting);
    };
    HOLDFAST_CHECK(trial.wait_for(disk.id, as_wanted, "what it was modified to"));
  }
  HOLDFAST_TRY(const Disk before, trial.look(disk.id));
  HOLDFAST_CHECK(must(trial.backend.modify_disk(disk.id, {}, trial.fresh("token"), trial.plan.deadline),
                      "modify_disk() to nothing"));
  HOLDFAST_TRY(const Disk after, trial.look(disk.id));
  HOLDFAST_CHECK(expect(before.performance == after.performance, "modified to nothing, it is another"));
  return absent(trial.backend.modify_disk(kNoSuchDisk, wanted, trial.fresh("token"), trial.plan.deadline),
                "modify_disk() of one that is not there");
}

Verdict tags(Trial& trial) {
  DiskSpec wanted = trial.spec(trial.fresh("tagged"));
  wanted.tags = {{"holdfast.a", "1"}, {"holdfast.b", "2"}};
  HOLDFAST_TRY(const std::string id,
               must(trial.backend.create_disk(wanted, trial.fresh("token"), trial.plan.deadline),
                    "create_disk() with tags"));
  trial.made_disk(id);
  HOLDFAST_TRY(const Disk fresh, trial.wait_for(id, DiskState::kAvailable));
  HOLDFAST_CHECK(expect(fresh.tags == wanted.tags, "it has not the tags that it was made with"));
  for (int n = 0; n < 2; ++n) {
    HOLDFAST_CHECK(must(trial.backend.tag_disk(id, {{"holdfast.b", "3"}, {"holdfast.c", ""}}, {"holdfast.a"},
                                               trial.plan.deadline),
                        "tag_disk()"));
    const Tags expected{{"holdfast.b", "3"}, {"holdfast.c", ""}};
    HOLDFAST_CHECK(trial.wait_for(
        id, [&expected](const Disk& now) { return now.tags == expected; }, "tagged as told"));
  }
  return absent(trial.backend.tag_disk(kNoSuchDisk, {{"holdfast.a", "1"}}, {}, trial.plan.deadline),
                "tag_disk() of one that is not there");
}

}  // namespace

std::vector<TrialCase> change_cases() {
  const auto grow = [](const Abilities& abilities) { return abilities.grow; };
  return {
      {.name = "grow: it grows once, and never shrinks", .run = &grows, .needs = grow},
      {.name = "grow: it does while it is attached", .run = &grows_attached, .needs = grow},
      {.name = "modify: what is given becomes so, what is not stays",
       .run = &modifies,
       .needs = [](const Abilities& abilities) { return abilities.modify; }},
      {.name = "tags: set over what is there, unset away, the others stay",
       .run = &tags,
       .needs = [](const Abilities& abilities) { return abilities.tags; }},
  };
}

}  // namespace holdfast::disk
