#include "csi-disk/controller/disk_volumes.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/csi/answers.h"
#include "csi-disk/volumes/disk_names.h"
#include "csi-disk/volumes/disk_tags.h"
#include "csi-disk/volumes/publish_context.h"

namespace holdfast::disk {
namespace {

using cloud::CallEnd;
using cloud::CallError;
using cloud::Refusal;

constexpr std::uint32_t kPage = 500;

// For how many days a snapshot is kept that is taken before the disk is deleted; nullopt: none is taken.
std::optional<std::uint32_t> days_of(const Disk& disk) {
  const std::string text = tag_of(disk.tags, kKeepDaysTag);
  std::uint32_t days = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), days);
  if (error != std::errc{} || rest != text.data() + text.size() || days == 0) return std::nullopt;
  return days;
}

// Whether `now` is as `wanted`. What a cloud does not tell of a disk cannot be compared: `untold` is the
// answer.
bool is_as(const Performance& wanted, const Performance& now, bool untold) {
  const auto same = [untold](const auto& asked, const auto& is, bool told) {
    return told ? asked == is : untold;
  };
  return (wanted.type.empty() || same(wanted.type, now.type, !now.type.empty())) &&
         (wanted.level.empty() || same(wanted.level, now.level, !now.level.empty())) &&
         (!wanted.iops || same(wanted.iops, now.iops, now.iops.has_value())) &&
         (!wanted.bursting || same(wanted.bursting, now.bursting, now.bursting.has_value()));
}

// What clouds take in one call each: all of it, or nothing.
std::vector<Performance> steps_of(const Performance& change) {
  Performance first = change;
  first.bursting.reset();
  std::vector<Performance> steps;
  if (first != Performance{}) steps.push_back(std::move(first));
  if (change.bursting) steps.push_back({.bursting = change.bursting});
  return steps;
}

// INVALID_ARGUMENT would say that nothing has been changed.
Error partly_changed(Error error) {
  if (error.code == Code::kInvalidArgument) error.code = Code::kInternal;
  error.message += "; the rest of the change has been made: ask again, or change it back";
  return error;
}

bool has_tags(const Tags& there, const DiskChange& change) {
  const bool set = std::ranges::all_of(
      change.set, [&there](const auto& each) { return tag_of(there, each.first) == each.second; });
  return set && std::ranges::none_of(change.unset, [&there](const auto& key) { return there.contains(key); });
}

// An error of an answer that is a list's: what it was asked to begin with is none of its own.
tl::unexpected<Error> not_listed(CallError error, const std::string& from, std::string_view what) {
  const bool token =
      !from.empty() && error.end == CallEnd::kRefused && cloud::refusal_of(error.code) == Refusal::kInvalid;
  if (token) return fail(Code::kAborted, "the starting_token '" + from + "' is not one that was given out");
  return told(std::move(error), what);
}

}  // namespace

Status DiskVolumes::remove(const std::string& id, Patience patience) {
  const Budget budget = looks_.budget(patience);
  HOLDFAST_TRY(const std::optional<Disk> disk, looks_.find(id, budget));
  if (!disk) return {};
  HOLDFAST_CHECK(check_cluster(*disk));
  const std::optional<std::uint32_t> days = days_of(*disk);
  // Of a disk that was never attached clouds take no snapshot, and there is nothing to keep.
  const bool used = tag_of(disk->tags, kContentTag) != kNew;
  if (days && used && disk->nodes.empty()) {
    HOLDFAST_TRY(const std::string deletion, begin_deletion(*disk, budget));
    HOLDFAST_CHECK(snapshots_.take_last(*disk, deletion, *days, budget));
  }
  HOLDFAST_CHECK(looks_.drop(id, budget));
  maker_.forget_disk(id);
  return {};
}

// Both clusters may have PersistentVolumes of it, one of them restored from the other's backup.
Status DiskVolumes::check_cluster(const Disk& disk) const {
  const std::string cluster = tag_of(disk.tags, kClusterTag);
  if (cluster.empty() || cluster == settings_.cluster) return {};
  return fail(Code::kFailedPrecondition, "disk " + disk.id + " is of the cluster " + cluster +
                                             ", and left alone: to hand it over to this one, take the tag " +
                                             std::string(kClusterTag) + " off it in the cloud");
}

// The one that is under way, or a new one. A snapshot of an earlier one, after which the disk was used again,
// is not that of the content that goes now.
Result<std::string> DiskVolumes::begin_deletion(const Disk& disk, const Budget& budget) const {
  std::string begun = tag_of(disk.tags, kDeletionTag);
  if (!begun.empty()) return begun;
  const auto now = looks_.clock().now().time_since_epoch();
  begun = token_of({"delete disk", disk.id, std::to_string(now.count())});
  cloud::Done done =
      looks_.backend().tag_disk(disk.id, {{std::string(kDeletionTag), begun}}, {}, budget.left());
  if (!done) return told(std::move(done).error(), "note that disk " + disk.id + " is being deleted");
  return begun;
}

Result<std::uint64_t> DiskVolumes::expand(const std::string& id, const SizeWish& wish,
                                          Patience patience) const {
  const Budget budget = looks_.budget(patience);
  HOLDFAST_TRY(const Disk disk, looks_.get(id, budget));
  HOLDFAST_CHECK(check_cluster(disk));
  const std::uint64_t has = disk.gib * kGiB;
  if (wish.limit_bytes != 0 && has > wish.limit_bytes)
    return fail(Code::kOutOfRange,
                "disk " + id + " has " + std::to_string(disk.gib) + " GiB, above the limit");
  if (has >= wish.required_bytes) return disk.gib;
  // A type that is not in the tables, or not told, is left to the cloud.
  const bool known = settings_.cloud.range_of(disk.performance.type, disk.performance.level).has_value();
  HOLDFAST_TRY(
      const std::uint64_t gib,
      fitting_gib(settings_.cloud, known ? disk.performance.type : settings_.cloud.usual_types.front(),
                  known ? disk.performance.level : "", wish));
  const std::string what = "growing disk " + id + " to " + std::to_string(gib) + " GiB";
  const std::string token = token_of({"grow disk", id, std::to_string(gib)});
  Result<Disk> grown = looks_.bring(
      id, [gib](const Disk& each) { return each.gib >= gib; },
      [&] { return looks_.backend().grow_disk(id, gib, token, budget.left()); }, what, budget);
  if (grown) return grown->gib;
  if (grown.error().code == Code::kInvalidArgument) grown.error().code = Code::kOutOfRange;
  return tl::unexpected(std::move(grown).error());
}

Status DiskVolumes::modify(const std::string& id, const Parameters& changes, Patience patience) const {
  const Budget budget = looks_.budget(patience);
  HOLDFAST_TRY(const DiskChange change, parse_disk_change(changes, settings_.cloud));
  HOLDFAST_TRY(const Disk disk, looks_.get(id, budget));
  HOLDFAST_CHECK(check_cluster(disk));
  HOLDFAST_CHECK(check_change(change, disk, settings_.cloud));
  const Abilities abilities = looks_.backend().abilities();
  const bool tags = !has_tags(disk.tags, change);
  if (tags && !abilities.tags) return fail(Code::kInvalidArgument, "this cloud keeps no tags of disks");
  std::vector<Performance> steps = steps_of(change.performance);
  std::erase_if(steps, [&disk](const Performance& step) { return is_as(step, disk.performance, false); });
  if (!steps.empty() && !abilities.modify)
    return fail(Code::kInvalidArgument, "this cloud does not change disks");
  bool changed = false;
  for (const Performance& step : steps) {
    const Status done = change_performance(id, step, budget);
    if (!done) return tl::unexpected(changed ? partly_changed(done.error()) : done.error());
    changed = true;
  }
  if (!tags) return {};
  cloud::Done done = looks_.backend().tag_disk(id, change.set, change.unset, budget.left());
  if (done) return {};
  Error error = cloud::to_error(std::move(done).error().within("changing disk " + id));
  return tl::unexpected(changed ? partly_changed(std::move(error)) : std::move(error));
}

Status DiskVolumes::change_performance(const std::string& id, const Performance& to,
                                       const Budget& budget) const {
  // Of this moment: back and forth between two is done each time.
  const std::string token =
      token_of({"modify disk", id, std::to_string(looks_.clock().since_boot().count())});
  bool asked = false;
  const auto is_changed = [&](const Disk& each) { return is_as(to, each.performance, asked); };
  const auto ask = [&] {
    cloud::Done done = looks_.backend().modify_disk(id, to, token, budget.left());
    asked = done.has_value();
    return done;
  };
  HOLDFAST_CHECK(looks_.bring(id, is_changed, ask, "changing disk " + id, budget));
  return {};
}

bool DiskVolumes::is_disk_id(const std::string& id) const { return is_id(id, settings_.handle_prefix); }

Result<Disk> DiskVolumes::get(const std::string& id, Patience patience) const {
  return looks_.get(id, looks_.budget(patience));
}

Result<std::optional<Snapshot>> DiskVolumes::find_snapshot(const std::string& id, Patience patience) const {
  return looks_.find_snapshot(id, looks_.budget(patience));
}

Result<Page<Disk>> DiskVolumes::list(const std::string& from, std::uint32_t most, Patience patience) const {
  cloud::Answer<Page<Disk>> page =
      looks_.backend().list_disks(from, most == 0 ? kPage : std::min(most, kPage), patience);
  if (!page) return not_listed(std::move(page).error(), from, "list disks");
  return *std::move(page);
}

Result<Page<Snapshot>> DiskVolumes::list_snapshots(const std::string& disk, const std::string& from,
                                                   std::uint32_t most, Patience patience) const {
  cloud::Answer<Page<Snapshot>> page =
      looks_.backend().list_snapshots(disk, from, most == 0 ? kPage : std::min(most, kPage), patience);
  if (!page) return not_listed(std::move(page).error(), from, "list snapshots");
  return *std::move(page);
}

Result<std::optional<SizeRange>> DiskVolumes::on_sale(const DiskClass& of_class, const std::string& place,
                                                      Patience patience) const {
  cloud::Answer<std::vector<std::string>> types = looks_.backend().types_in_stock(place, patience);
  if (!types)
    return told(std::move(types).error(), "look what " + (place.empty() ? "there is" : place + " has"));
  for (const std::string& type : of_class.types) {
    const bool there = type.empty() ? !types->empty() : std::ranges::find(*types, type) != types->end();
    if (!there) continue;
    const bool levels = !of_class.levels.empty() && settings_.cloud.has_levels(type);
    return settings_.cloud.range_of(type, levels ? of_class.levels.front() : "");
  }
  return std::nullopt;
}

}  // namespace holdfast::disk
