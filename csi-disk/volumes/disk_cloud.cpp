#include "csi-disk/volumes/disk_cloud.h"

#include <algorithm>

namespace holdfast::disk {
namespace {

constexpr std::uint64_t kSmallGib = 20;

// Source: the guides' tables of types, sizes and levels; ECS CreateDisk (Size) where they are silent, bounded
// by the 32 TiB that the guides promise.
std::vector<SizeRange> alibaba_sizes() {
  return {{"cloud", "", 5, 2000},
          {"cloud_efficiency", "", 20, 32768},
          {"cloud_ssd", "", 20, 32768},
          {"cloud_essd", "", 20, 32768},
          {"cloud_essd", "PL0", 1, 32768},
          {"cloud_essd", "PL1", 20, 32768},
          {"cloud_essd", "PL2", 461, 32768},
          {"cloud_essd", "PL3", 1261, 32768},
          {"cloud_essd_xc0", "", 20, 32768},
          {"cloud_essd_xc1", "", 20, 32768},
          {"cloud_auto", "", 1, 32768},
          {"cloud_essd_entry", "", 10, 32768},
          {"cloud_regional_disk_auto", "", 10, 32768},
          {"cloud_pperf", "", 20, 32768},
          {"cloud_sperf", "", 20, 32768},
          {"elastic_ephemeral_disk_standard", "", 64, 8192},
          {"elastic_ephemeral_disk_premium", "", 64, 8192}};
}

// Source: CBS, types of cloud disks; CreateDisks (DiskSize: steps of 10).
std::vector<SizeRange> cbs_sizes() {
  return {{"CLOUD_BASIC", "", 10, 16000, 10}, {"CLOUD_PREMIUM", "", 10, 32000, 10},
          {"CLOUD_BSSD", "", 20, 32000, 10},  {"CLOUD_SSD", "", 20, 32000, 10},
          {"CLOUD_HSSD", "", 20, 32000, 10},  {"CLOUD_TSSD", "", 20, 32000, 10}};
}

std::string in_words(std::string_view type, std::string_view level) {
  if (type.empty()) return "a disk";
  return "a disk of type " + std::string(type) + (level.empty() ? "" : ", " + std::string(level) + ",");
}

}  // namespace

bool DiskCloud::sells(std::string_view type) const {
  return std::ranges::any_of(
      sizes, [type](const SizeRange& each) { return each.type.empty() || each.type == type; });
}

bool DiskCloud::has_levels(std::string_view type) const {
  return std::ranges::any_of(
      sizes, [type](const SizeRange& each) { return each.type == type && !each.level.empty(); });
}

bool DiskCloud::provisions(std::string_view type) const {
  return provisioned_types.empty() || std::ranges::find(provisioned_types, type) != provisioned_types.end();
}

std::optional<SizeRange> DiskCloud::range_of(std::string_view type, std::string_view level) const {
  const auto find = [&](std::string_view wanted) {
    return std::ranges::find_if(
        sizes, [&](const SizeRange& each) { return each.type == wanted && each.level == level; });
  };
  auto found = find(type);
  if (found == sizes.end() && !has_levels(type)) found = find("");
  return found == sizes.end() ? std::nullopt : std::optional(*found);
}

const std::vector<DiskCloud>& known_clouds() {
  static const std::vector<DiskCloud> known = {
      {.name = "alibaba",
       .usual_types = {"cloud_ssd", "cloud_efficiency"},
       .sizes = alibaba_sizes(),
       .provisioned_types = {"cloud_auto", "cloud_regional_disk_auto"},
       .regional_types = {"cloud_regional_disk_auto"}},
      // Which types a region has is not the same everywhere: what is not known is left to the cloud.
      {.name = "ens",
       .aliases = {{"regionid", "zoneId"}, {"ensregionid", "zoneId"}, {"disktype", "type"}},
       .usual_types = {"cloud_efficiency", "cloud_ssd"},
       .sizes = {{"", "", 20, 32000}}},
      {.name = "eck",
       .aliases = {{"disktype", "type"}, {"regionid", "zoneId"}},
       .usual_types = {""},
       .sizes = {{"", "", 20, 32768}}},
      {.name = "cbs",
       .aliases = {{"disktype", "type"},
                   {"diskzone", "zoneId"},
                   {"diskzones", "zoneId"},
                   {"encrypt", "encrypted"},
                   {"diskchargetype", "chargeType"}},
       .usual_types = {"CLOUD_PREMIUM", "CLOUD_SSD"},
       .sizes = cbs_sizes()},
      {.name = "sim",
       .usual_types = {"cloud_essd"},
       .sizes = alibaba_sizes(),
       .provisioned_types = {"cloud_auto", "cloud_regional_disk_auto"},
       .regional_types = {"cloud_regional_disk_auto"}},
  };
  return known;
}

Result<DiskCloud> known_cloud(std::string_view name) {
  const auto found = std::ranges::find(known_clouds(), name, &DiskCloud::name);
  if (found != known_clouds().end()) return *found;
  std::string message = "there is no profile '" + std::string(name) + "'; there are:";
  for (const DiskCloud& each : known_clouds()) message += " " + each.name;
  return fail(Code::kInvalidArgument, std::move(message));
}

DiskCloud any_cloud() {
  constexpr std::uint64_t kMostGib = 65536;
  return {.name = "any", .usual_types = {""}, .sizes = {{"", "", 1, kMostGib}}};
}

Result<std::uint64_t> fitting_gib(const DiskCloud& cloud, std::string_view type, std::string_view level,
                                  const SizeWish& wish) {
  const std::optional<SizeRange> range = cloud.range_of(type, level);
  if (!range) return fail(Code::kInvalidArgument, "there is no such thing as " + in_words(type, level));
  std::uint64_t gib = wish.required_bytes / kGiB + (wish.required_bytes % kGiB == 0 ? 0 : 1);
  if (wish.round_up_small && gib < kSmallGib) gib = kSmallGib;
  if (wish.required_bytes == 0) gib = std::max(gib, range->least_gib);
  const std::string sold = in_words(type, level) + " has " + std::to_string(range->least_gib) + " to " +
                           std::to_string(range->most_gib) + " GiB";
  if (gib < range->least_gib) {
    return fail(Code::kOutOfRange,
                "disk size is not supported: " + sold + ", and " + std::to_string(gib) +
                    " are asked for: ask for more" +
                    (range->least_gib <= kSmallGib ? ", or set volumeSizeAutoAvailable in the StorageClass"
                                                   : ", or for another type or performanceLevel"));
  }
  gib = (gib + range->step_gib - 1) / range->step_gib * range->step_gib;
  if (gib > range->most_gib) {
    return fail(Code::kOutOfRange,
                "disk size is not supported: " + sold + ", and " + std::to_string(gib) + " are asked for");
  }
  if (wish.limit_bytes != 0 && gib > wish.limit_bytes / kGiB) {
    return fail(Code::kOutOfRange, in_words(type, level) + " would have " + std::to_string(gib) +
                                       " GiB, above the limit of " + std::to_string(wish.limit_bytes) +
                                       " bytes");
  }
  return gib;
}

}  // namespace holdfast::disk
