#include "csi-disk/controller/disk_maker.h"

#include <algorithm>
#include <utility>

#include "common/csi/answers.h"
#include "csi-disk/controller/disk_plan.h"
#include "csi-disk/volumes/disk_names.h"
#include "csi-disk/volumes/disk_tags.h"
#include "csi-disk/volumes/publish_context.h"

namespace holdfast::disk {
namespace {

using cloud::CallEnd;
using cloud::CallError;
using cloud::Refusal;

// Not this disk there: the cloud has none of it, or no more. A code that nobody knows counts as that.
bool may_try_another(const CallError& error) {
  if (error.end != CallEnd::kRefused) return false;
  const Refusal refusal = cloud::refusal_of(error.code);
  return refusal == Refusal::kQuota || refusal == Refusal::kInvalid;
}

// The cloud knows this token with other parameters: an attempt of ours may have succeeded.
bool is_token_taken(const CallError& error) {
  return error.code.find("Idempot") != std::string::npos ||
         error.code.find("ClientToken") != std::string::npos;
}

bool is_creating(const Disk& disk) { return tag_of(disk.tags, kStateTag) == kCreating; }

bool is_usable(const Disk& disk) {
  return disk.state == DiskState::kAvailable || disk.state == DiskState::kInUse;
}

Tags tags_of(const NewDisk& wanted, const std::string& name, const std::string& cluster) {
  Tags tags = wanted.of_class.tags;
  const std::string from = from_text(wanted);
  tags.emplace(kStateTag, kCreating);
  tags.emplace(kContentTag, from.empty() ? kNew : kMaybe);
  tags.emplace(kNameTag, name);
  if (!cluster.empty()) tags.emplace(kClusterTag, cluster);
  if (!from.empty()) tags.emplace(kFromTag, from);
  if (wanted.of_class.keep_days) tags.emplace(kKeepDaysTag, std::to_string(*wanted.of_class.keep_days));
  return tags;
}

// What was refused, attempt by attempt, and what that comes to.
struct Refused {
  bool reached = false;  // somebody who reaches other places may fare better
  bool out_of_stock = false;
  Error last = {};
  std::string all = {};

  void add(CallError error, const DiskSpec& spec) {
    out_of_stock =
        out_of_stock || (error.end == CallEnd::kRefused && cloud::refusal_of(error.code) == Refusal::kQuota);
    last = cloud::to_error(std::move(error).within("make " + in_words(spec)));
    all += (all.empty() ? "" : "; ") + last.message;
  }
  [[nodiscard]] Error error() && {
    last.message = std::move(all);
    // Something is being done to what it is made from, or to one of that name.
    if (last.code == Code::kFailedPrecondition || last.code == Code::kAlreadyExists)
      last.code = Code::kAborted;
    if (last.code == Code::kInvalidArgument && (reached || out_of_stock))
      last.code = Code::kResourceExhausted;
    return std::move(last);
  }
};

}  // namespace

Result<Disk> DiskMaker::create(const NewDisk& wanted, Patience patience) {
  const Budget budget = looks_.budget(patience);
  HOLDFAST_TRY(const Plan plan, this->plan(wanted));
  if (!wanted.of_class.adopt_disk.empty()) return adoption_.adopt(wanted, plan.tags, budget);
  // An earlier call may have left a disk that nobody was told of.
  auto there = find_made(plan, budget);
  if (!there) return tl::unexpected(csi::may_be_left(std::move(there).error()));
  if (*there) {
    const Status same = check_same(wanted, **there, looks_.settings(), looks_.backend().abilities().tags);
    if (same) return finished(plan, (*there)->id, budget);
    if (!is_creating(**there)) return tl::unexpected(same.error());
    HOLDFAST_CHECK(discard((*there)->id, budget));
  }
  HOLDFAST_TRY(const std::string id, make(plan, budget));
  return finished(plan, id, budget);
}

Result<Disk> DiskMaker::finished(const Plan& plan, const std::string& id, const Budget& budget) {
  Result<Disk> disk = finish(plan, id, budget);
  if (!disk) return tl::unexpected(csi::may_be_left(std::move(disk).error()));
  return disk;
}

Result<DiskMaker::Plan> DiskMaker::plan(const NewDisk& wanted) const {
  const DiskSettings& settings = looks_.settings();
  const Abilities abilities = looks_.backend().abilities();
  const DiskClass& of_class = wanted.of_class;
  if (!of_class.region.empty() && !settings.region.empty() && of_class.region != settings.region)
    return refuse_parameter("regionId", of_class.region,
                            "is not this controller's region, " + settings.region);
  const bool given = !of_class.adopt_disk.empty() || !of_class.from_snapshot.empty();
  if (given && wanted.source)
    return fail(Code::kInvalidArgument, "the class names a disk or snapshot, and the volume has a source");
  if (of_class.adopt_disk.empty() && !abilities.create)
    return fail(Code::kInvalidArgument,
                "disks are not made here: name one by volume.alibabacloud.com/disk-id");
  if ((wanted.source || !of_class.from_snapshot.empty()) && !abilities.snapshots)
    return fail(Code::kInvalidArgument, "this cloud has no snapshots to make a disk from");
  if (of_class.multi_attach && !abilities.multi_attach)
    return refuse_parameter("multiAttach", "true", "is not possible in this cloud");
  Plan plan{.wanted = wanted, .name = looks_.name_of(wanted.name), .tags = {}, .from = from_text(wanted)};
  plan.tags = tags_of(wanted, plan.name, settings.cluster);
  return plan;
}

Result<std::optional<Disk>> DiskMaker::find_made(const Plan& plan, const Budget& budget) {
  HOLDFAST_TRY(std::vector<Disk> mine, looks_.named(plan.name, budget));
  return keep_one(std::move(mine), budget);
}

// A cloud that shows late what it has made may have been asked for it twice: one of them is the volume, a
// ready one before one that is not. Others that are ready stay: they are somebody's.
Result<std::optional<Disk>> DiskMaker::keep_one(std::vector<Disk> mine, const Budget& budget) {
  if (mine.empty()) return std::nullopt;
  std::ranges::sort(mine, {}, [](const Disk& each) { return std::pair(is_creating(each), each.id); });
  for (std::size_t i = 1; i < mine.size(); ++i) {
    if (is_creating(mine[i])) HOLDFAST_CHECK(discard(mine[i].id, budget));
  }
  return mine.front();
}

// One that nobody was ever told of.
Status DiskMaker::discard(const std::string& id, const Budget& budget) {
  const Status gone = looks_.drop(id, budget);
  if (!gone) return tl::unexpected(csi::may_be_left(gone.error()));
  gone_.add(id);
  return {};
}

Result<std::string> DiskMaker::make(const Plan& plan, const Budget& budget) {
  if (plan.from.empty()) return make_from(plan, "", 0, budget);
  if (plan.wanted.source && !plan.wanted.source->snapshot) return make_copy(plan, budget);
  return make_from_snapshot(plan, budget);
}

Result<std::string> DiskMaker::make_from_snapshot(const Plan& plan, const Budget& budget) {
  const std::string& id = plan.wanted.source ? plan.wanted.source->id : plan.wanted.of_class.from_snapshot;
  HOLDFAST_TRY(const std::optional<Snapshot> source, looks_.find_snapshot(id, budget));
  if (!source) return fail(Code::kNotFound, "there is no snapshot " + id);
  if (source->failed) return fail(Code::kFailedPrecondition, "snapshot " + id + " has failed: take another");
  if (!source->ready) return under_way("taking snapshot " + id);
  return make_from(plan, id, source->gib, budget);
}

Result<std::string> DiskMaker::make_from(const Plan& plan, const std::string& snapshot,
                                         std::uint64_t least_gib, const Budget& budget) {
  const std::uint64_t required = plan.wanted.size.required_bytes;
  if (required != 0 && required < least_gib * kGiB)
    return fail(Code::kOutOfRange, "the volume would be smaller than its source, which has " +
                                       std::to_string(least_gib) + " GiB");
  const std::size_t turn = attempts_.of(plan.name).turn;
  Result<std::vector<DiskSpec>> specs = specs_of(plan.wanted, looks_.settings(), least_gib, turn);
  if (!specs) {
    HOLDFAST_CHECK(settle_other(plan.name, {}, budget));
    attempts_.forget(plan.name);
    return tl::unexpected(std::move(specs).error());
  }
  for (DiskSpec& spec : *specs) {
    spec.name = plan.name;
    spec.snapshot = snapshot;
    spec.tags = plan.tags;
  }
  HOLDFAST_CHECK(settle_other(plan.name, *specs, budget));
  return try_all(plan, *std::move(specs), budget);
}

// The attempt whose outcome is open, when it is none of `specs`: what it asked for is asked for again, until
// the cloud tells what became of it, and deleted.
Status DiskMaker::settle_other(const std::string& name, const std::vector<DiskSpec>& specs,
                               const Budget& budget) {
  Attempts::Attempt attempt = attempts_.of(name);
  const bool other = std::ranges::none_of(specs, [&](const DiskSpec& spec) {
    return token_of(spec, looks_.settings().cluster, attempt.generation) == attempt.open_token;
  });
  if (attempt.open_token.empty() || !other) return {};
  const DiskSpec open = attempt.open_disk;
  cloud::Answer<std::string> made = looks_.backend().create_disk(open, attempt.open_token, budget.left());
  if (made && !gone_.has(*made)) HOLDFAST_CHECK(discard(*made, budget));
  const bool told_of = made || (made.error().end == CallEnd::kRefused && !is_token_taken(made.error())) ||
                       made.error().end == CallEnd::kNoSuchThing;
  if (!told_of) {
    return tl::unexpected(
        csi::may_be_left(told(std::move(made).error(), "learn what became of " + in_words(open)).value()));
  }
  ++attempt.generation;
  attempt.open_token.clear();
  attempt.open_disk = {};
  attempts_.keep(name, attempt);
  return {};
}

Result<std::string> DiskMaker::try_all(const Plan& plan, std::vector<DiskSpec> specs, const Budget& budget) {
  Attempts::Attempt attempt = attempts_.of(plan.name);
  const std::string open_before = attempt.open_token;
  // The one whose outcome is open is asked for again before any other is.
  std::stable_partition(specs.begin(), specs.end(), [&](const DiskSpec& spec) {
    return token_of(spec, looks_.settings().cluster, attempt.generation) == attempt.open_token;
  });
  Refused refused{.reached =
                      !plan.wanted.reached.preferred.empty() || !plan.wanted.reached.requisite.empty()};
  for (const DiskSpec& spec : specs) {
    cloud::Answer<std::string> made = ask(spec, attempt, budget);
    if (made) return *std::move(made);
    const CallError& error = made.error();
    const bool next = may_try_another(error);
    const bool still_open = attempt.open_token == open_before && !next;
    const bool open = error.end == CallEnd::kUnknownOutcome || is_token_taken(error) || still_open;
    refused.add(error, spec);
    if (open) return tl::unexpected(csi::may_be_left(std::move(refused).error()));
    if (!next) break;
  }
  attempts_.forget(plan.name);
  return tl::unexpected(std::move(refused).error());
}

// Asked for anew as long as the answer is a disk that has been deleted.
cloud::Answer<std::string> DiskMaker::ask(const DiskSpec& spec, Attempts::Attempt& attempt,
                                          const Budget& budget) {
  for (;;) {
    attempt.open_token = token_of(spec, looks_.settings().cluster, attempt.generation);
    attempt.open_disk = spec;
    attempts_.keep(spec.name, attempt);
    cloud::Answer<std::string> made = looks_.backend().create_disk(spec, attempt.open_token, budget.left());
    if (!made || !gone_.has(*made)) return made;
    ++attempt.generation;
  }
}

Result<Disk> DiskMaker::finish(const Plan& plan, const std::string& id, const Budget& budget) {
  const std::string what = "making disk " + id + " for " + plan.wanted.name;
  for (;;) {
    HOLDFAST_TRY(std::optional<Disk> disk, looks_.wait(id, is_usable, what, budget));
    if (disk) {
      HOLDFAST_CHECK(declare_ready(plan, *disk, what, budget));
      return *std::move(disk);
    }
    const bool hopeless = is_given_up(plan.name);
    if (hopeless || !budget.wait()) return under_way(what);
  }
}

// The volume can be told of.
Status DiskMaker::declare_ready(const Plan& plan, const Disk& disk, const std::string& what,
                                const Budget& budget) {
  const bool copied = plan.wanted.source && !plan.wanted.source->snapshot;
  if (copied) {
    HOLDFAST_CHECK(looks_.drop_snapshots_named(clone_snapshot_name(plan.name), budget));
    copies_.forget(clone_snapshot_name(plan.name));
  }
  if (is_creating(disk)) {
    const Tags ready{{std::string(kStateTag), std::string(kReady)}};
    cloud::Done done = looks_.backend().tag_disk(disk.id, ready, {}, budget.left());
    if (!done) return told(std::move(done).error(), what);
  }
  attempts_.forget(plan.name);
  return {};
}

// The cloud does not show what it says it has made: after a while the token was an earlier disk's, and the
// next attempt has another.
bool DiskMaker::is_given_up(const std::string& name) {
  Attempts::Attempt attempt = attempts_.of(name);
  const std::chrono::nanoseconds now = looks_.clock().since_boot();
  if (!attempt.absent_since) attempt.absent_since = now;
  const bool over = now - *attempt.absent_since >= kGoneWhenUnseenFor;
  if (over) {
    ++attempt.generation;
    attempt.absent_since.reset();
    attempt.open_token.clear();
  }
  attempts_.keep(name, attempt);
  return over;
}

}  // namespace holdfast::disk
