#include <array>
#include <limits>
#include <string_view>

#include "common/base/text.h"
#include "csi-disk/volumes/disk_class.h"

namespace holdfast::disk {
namespace {

constexpr std::string_view kSetPrefix = "diskTags/";
constexpr std::string_view kUnsetPrefix = "-diskTags/";
constexpr std::string_view kSnapshotTagsPrefix = "snapshotTags/";

Status read_unset(const Parameters& parameters, DiskChange& into) {
  for (auto each = parameters.lower_bound(std::string(kUnsetPrefix));
       each != parameters.end() && each->first.starts_with(kUnsetPrefix); ++each) {
    const std::string key = each->first.substr(kUnsetPrefix.size());
    HOLDFAST_CHECK(check_tag_key(kUnsetPrefix, key));
    if (into.set.contains(key)) return refuse_parameter(kUnsetPrefix, key, "is both set and taken away");
    into.unset.push_back(key);
  }
  return {};
}

}  // namespace

Result<DiskChange> parse_disk_change(const Parameters& given, const DiskCloud& cloud) {
  static constexpr std::array<std::string_view, 4> kNames{"type", "performanceLevel", "provisionedIops",
                                                          "burstingEnabled"};
  static constexpr std::array kPrefixes{kSetPrefix, kUnsetPrefix};
  HOLDFAST_TRY(const Parameters parameters, under_their_names(given, {.what = "a VolumeAttributesClass",
                                                                      .names = kNames,
                                                                      .prefixes = kPrefixes,
                                                                      .aliases = cloud.aliases}));
  DiskChange out;
  Performance& performance = out.performance;
  performance.type = value_of(parameters, "type");
  if (!performance.type.empty() && !cloud.sells(performance.type))
    return refuse_parameter("type", performance.type, "is no type of disk that there is");
  const std::string level = value_of(parameters, "performanceLevel");
  if (!level.empty()) {
    HOLDFAST_TRY(performance.level, parse_level(level));
  }
  HOLDFAST_TRY(performance.iops,
               count_of(parameters, "provisionedIops", 0, std::numeric_limits<std::int32_t>::max()));
  const std::string bursting = value_of(parameters, "burstingEnabled");
  if (!bursting.empty()) performance.bursting = is_true(bursting);
  HOLDFAST_CHECK(add_tags_behind(out.set, parameters, kSetPrefix));
  HOLDFAST_CHECK(read_unset(parameters, out));
  return out;
}

namespace {

// Not to burst is nothing to buy.
Status check_provisioned(const Performance& change, const std::string& type, const DiskCloud& cloud) {
  if (cloud.provisions(type)) return {};
  const std::string why = "is bought with other types of disks; the disk's, " + type + ", has none";
  if (change.iops) return refuse_parameter("provisionedIops", std::to_string(*change.iops), why);
  if (change.bursting.value_or(false)) return refuse_parameter("burstingEnabled", "true", why);
  return {};
}

}  // namespace

Status check_change(const DiskChange& change, const Disk& disk, const DiskCloud& cloud) {
  const std::string& type = change.performance.type.empty() ? disk.performance.type : change.performance.type;
  if (!change.performance.level.empty() && !cloud.has_levels(type))
    return refuse_parameter("performanceLevel", change.performance.level,
                            "is of types that have levels; the disk's, " + type + ", has none");
  HOLDFAST_CHECK(check_provisioned(change.performance, type, cloud));
  if (change.performance.type.empty() && change.performance.level.empty()) return {};
  const SizeWish same{.required_bytes = disk.gib * kGiB, .limit_bytes = disk.gib * kGiB};
  const Result<std::uint64_t> fits = fitting_gib(cloud, type, change.performance.level, same);
  if (fits) return {};
  return fail(Code::kInvalidArgument, "disk " + disk.id + " cannot become one: " + fits.error().message);
}

Result<SnapshotClass> parse_snapshot_class(const Parameters& given) {
  static constexpr std::array<std::string_view, 5> kNames{"retentionDays", "resourceGroupId", "snapshotType",
                                                          "instantAccess", "instantAccessRetentionDays"};
  static constexpr std::array kPrefixes{kSnapshotTagsPrefix};
  static const std::map<std::string, std::string> no_aliases;
  HOLDFAST_TRY(const Parameters parameters, under_their_names(given, {.what = "a VolumeSnapshotClass",
                                                                      .names = kNames,
                                                                      .prefixes = kPrefixes,
                                                                      .aliases = no_aliases}));
  SnapshotClass out;
  HOLDFAST_TRY(out.keep_days, days_of(parameters, "retentionDays"));
  out.resource_group = value_of(parameters, "resourceGroupId");
  HOLDFAST_CHECK(add_tags_behind(out.tags, parameters, kSnapshotTagsPrefix));
  return out;
}

}  // namespace holdfast::disk
