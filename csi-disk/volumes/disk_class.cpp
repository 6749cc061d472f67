#include "csi-disk/volumes/disk_class.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <utility>

#include "common/base/text.h"
#include "csi-disk/volumes/file_systems.h"

namespace holdfast::disk {
namespace {

constexpr std::string_view kTagsPrefix = "diskTags/";
constexpr std::string_view kAvailable = "available";
constexpr std::string_view kDiskId = "volume.alibabacloud.com/disk-id";
constexpr std::string_view kSnapshotId = "csi.alibabacloud.com/disk-snapshot-id";
constexpr std::string_view kChargeType = "chargeType";
constexpr std::string_view kHpnZone = "restrictToHpnZone";
constexpr std::string_view kRole = "alibabacloud.com/createdisk-arn";

constexpr std::array<std::string_view, 27> kNames{"type",
                                                  "performanceLevel",
                                                  "zoneId",
                                                  "regionId",
                                                  "provisionedIops",
                                                  "burstingEnabled",
                                                  "encrypted",
                                                  "kmsKeyId",
                                                  "fsType",
                                                  "mkfsOptions",
                                                  "sysConfig",
                                                  "omitfsck",
                                                  "readOnly",
                                                  "resourceGroupId",
                                                  "storageClusterId",
                                                  "diskTags",
                                                  "multiAttach",
                                                  "volumeSizeAutoAvailable",
                                                  "volumeDeleteSnapshotRetentionDays",
                                                  "volumeExpandAutoSnapshot",
                                                  kHpnZone,
                                                  kRole,
                                                  "dataCacheSize",
                                                  "dataCacheMode",
                                                  kDiskId,
                                                  kSnapshotId,
                                                  kChargeType};
constexpr std::array kPrefixes{kTagsPrefix};
constexpr std::array<std::string_view, 5> kForNode{"fsType", "mkfsOptions", "sysConfig", "omitfsck",
                                                   "readOnly"};

Status read_types(const Parameters& parameters, const DiskCloud& cloud, DiskClass& into) {
  const std::string text = value_of(parameters, "type");
  into.types = split_list(text);
  if (into.types.empty() || (into.types.size() == 1 && into.types.front() == kAvailable)) {
    into.types = cloud.usual_types;
    return {};
  }
  for (const std::string& type : into.types) {
    if (type == kAvailable)
      return refuse_parameter("type", text, "has 'available' in a list: it stands alone");
    if (cloud.sells(type)) continue;
    std::string why = "has the type " + printable(type, 64) + ", which there is not; there are:";
    for (const SizeRange& each : cloud.sizes) {
      if (why.find(" " + each.type) == std::string::npos) why += " " + each.type;
    }
    return refuse_parameter("type", text, why);
  }
  return {};
}

Status read_performance(const Parameters& parameters, DiskClass& into) {
  for (const std::string& word : split_list(value_of(parameters, "performanceLevel"))) {
    HOLDFAST_TRY(into.levels.emplace_back(), parse_level(word));
  }
  HOLDFAST_TRY(into.iops,
               count_of(parameters, "provisionedIops", 0, std::numeric_limits<std::int32_t>::max()));
  const std::string bursting = value_of(parameters, "burstingEnabled");
  if (!bursting.empty()) into.bursting = is_true(bursting);
  into.storage_cluster = value_of(parameters, "storageClusterId");
  if (!into.storage_cluster.empty() && into.levels.empty())
    return refuse_parameter("storageClusterId", into.storage_cluster, "needs a performanceLevel");
  return {};
}

Status read_encryption(const Parameters& parameters, DiskClass& into) {
  const std::string encrypted = value_of(parameters, "encrypted");
  into.encrypted = is_true(encrypted) || encrypted == "ENCRYPT";  // the latter is CBS's word
  into.key = value_of(parameters, "kmsKeyId");
  if (!into.key.empty() && !into.encrypted)
    return refuse_parameter("kmsKeyId", into.key,
                            "needs encrypted: \"true\": without it nothing is encrypted");
  return {};
}

Status read_tags(const Parameters& parameters, DiskClass& into) {
  for (const std::string& word : split_list(value_of(parameters, "diskTags"))) {
    const std::size_t colon = word.find(':');
    if (colon == std::string::npos) return refuse_parameter("diskTags", word, "is no key:value");
    HOLDFAST_CHECK(add_tag(into.tags, "diskTags", trim(word.substr(0, colon)), trim(word.substr(colon + 1))));
  }
  return add_tags_behind(into.tags, parameters, kTagsPrefix);
}

Status read_file_system(const Parameters& parameters, DiskClass& into) {
  const std::string fs_type = value_of(parameters, "fsType");
  if (!check_file_system(fs_type))
    return refuse_parameter("fsType", fs_type, "must be " + std::string(kFileSystemsInWords));
  for (const std::string_view name : kForNode) {
    const std::string value = value_of(parameters, name);
    if (!value.empty()) into.for_node.emplace(name, value);
  }
  return {};
}

Status refuse_what_there_is_not(const Parameters& parameters) {
  for (const char* const name : {"dataCacheSize", "dataCacheMode"}) {
    if (parameters.contains(name))
      return refuse_parameter(name, value_of(parameters, name),
                              "is not supported: there is no cache on the node; leave it out");
  }
  const std::string charge = value_of(parameters, kChargeType);
  if (!charge.empty() && charge != "POSTPAID_BY_HOUR")
    return refuse_parameter(kChargeType, charge, "is not supported: disks are paid by use, POSTPAID_BY_HOUR");
  return {};
}

}  // namespace

Result<DiskClass> parse_disk_class(const Parameters& given, const DiskCloud& cloud) {
  std::map<std::string, std::string> aliases = cloud.aliases;
  aliases.emplace("alibabacloud.com/kms-key-id", "kmsKeyId");
  HOLDFAST_TRY(const Parameters parameters, under_their_names(given, {.what = "a StorageClass of csi-disk",
                                                                      .names = kNames,
                                                                      .prefixes = kPrefixes,
                                                                      .aliases = aliases}));
  HOLDFAST_CHECK(refuse_what_there_is_not(parameters));
  DiskClass out;
  HOLDFAST_CHECK(read_types(parameters, cloud, out));
  HOLDFAST_CHECK(read_performance(parameters, out));
  HOLDFAST_CHECK(read_encryption(parameters, out));
  HOLDFAST_CHECK(read_tags(parameters, out));
  HOLDFAST_CHECK(read_file_system(parameters, out));
  HOLDFAST_TRY(out.keep_days, days_of(parameters, "volumeDeleteSnapshotRetentionDays"));
  const std::string multi_attach = lower_case(value_of(parameters, "multiAttach"));
  out.multi_attach = multi_attach == "true" || multi_attach == "enabled";
  out.round_up_small = is_true(value_of(parameters, "volumeSizeAutoAvailable"));
  out.zones = split_list(value_of(parameters, "zoneId"));
  out.region = value_of(parameters, "regionId");
  out.resource_group = value_of(parameters, "resourceGroupId");
  out.hpn_zone = is_true(value_of(parameters, kHpnZone));
  out.role = value_of(parameters, kRole);
  out.adopt_disk = value_of(parameters, kDiskId);
  out.from_snapshot = value_of(parameters, kSnapshotId);
  return out;
}

Result<std::vector<DiskChoice>> choices_of(const DiskClass& wanted, const DiskCloud& cloud,
                                           const SizeWish& wish) {
  std::vector<DiskChoice> choices;
  std::optional<Error> first;
  for (const std::string& type : wanted.types) {
    const bool levels = !wanted.levels.empty() && cloud.has_levels(type);
    for (const std::string& level : levels ? wanted.levels : std::vector<std::string>{""}) {
      Result<std::uint64_t> gib = fitting_gib(cloud, type, level, wish);
      if (gib) {
        choices.push_back({.type = type, .level = level, .gib = *gib});
      } else if (!first) {
        first = std::move(gib).error();
      }
    }
  }
  if (choices.empty() && first) return tl::unexpected(*std::move(first));
  return choices;
}

}  // namespace holdfast::disk
