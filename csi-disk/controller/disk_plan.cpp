#include "csi-disk/controller/disk_plan.h"

#include <algorithm>
#include <utility>

#include "csi-disk/volumes/disk_names.h"
#include "csi-disk/volumes/disk_tags.h"

namespace holdfast::disk {
namespace {

bool holds(const std::vector<std::string>& words, const std::string& word) {
  return std::ranges::find(words, word) != words.end();
}

tl::unexpected<Error> differs(const NewDisk& wanted, const Disk& disk, std::string_view how) {
  return fail(Code::kAlreadyExists,
              "volume " + wanted.name + " is there as disk " + disk.id + ", which " + std::string(how));
}

Performance performance_of(const DiskChoice& choice, const DiskClass& of_class, const DiskCloud& cloud) {
  Performance out{.type = choice.type, .level = choice.level};
  if (cloud.provisions(choice.type)) {
    out.iops = of_class.iops;
    out.bursting = of_class.bursting;
  }
  return out;
}

}  // namespace

std::string from_text(const NewDisk& wanted) {
  if (!wanted.of_class.from_snapshot.empty()) return "snapshot:" + wanted.of_class.from_snapshot;
  if (!wanted.source) return {};
  return (wanted.source->snapshot ? "snapshot:" : "volume:") + wanted.source->id;
}

Status check_same(const NewDisk& wanted, const Disk& disk, const DiskSettings& settings, bool tags) {
  const std::uint64_t bytes = disk.gib * kGiB;
  const bool too_large = wanted.size.limit_bytes != 0 && bytes > wanted.size.limit_bytes;
  if (bytes < wanted.size.required_bytes || too_large)
    return differs(wanted, disk, "has " + std::to_string(disk.gib) + " GiB, another size than is asked for");
  if (tags && tag_of(disk.tags, kFromTag) != from_text(wanted))
    return differs(wanted, disk, "was made from '" + tag_of(disk.tags, kFromTag) + "', another source");
  // One that is made from something encrypted is encrypted whether that is asked for or not.
  if (wanted.of_class.encrypted && !disk.encrypted) return differs(wanted, disk, "is not encrypted");
  if (wanted.of_class.multi_attach && !disk.multi_attach)
    return differs(wanted, disk, "cannot be attached to several nodes");
  if (!is_reached(wanted.reached, settings.keys, disk.zone))
    return differs(wanted, disk, "is in " + disk.zone + ", where it is not reached from");
  return {};
}

Result<std::vector<DiskSpec>> specs_of(const NewDisk& wanted, const DiskSettings& settings,
                                       std::uint64_t least_gib, std::size_t turn) {
  const DiskClass& of_class = wanted.of_class;
  SizeWish size = wanted.size;
  size.required_bytes = std::max(size.required_bytes, least_gib * kGiB);
  HOLDFAST_TRY(const std::vector<DiskChoice> choices, choices_of(of_class, settings.cloud, size));
  const std::vector<std::string> places =
      places_to_try(wanted.reached, settings.keys, of_class.zones, settings.place, turn);
  std::vector<DiskSpec> specs;
  for (const std::string& place : places) {
    for (const DiskChoice& choice : choices) {
      const bool regional = holds(settings.cloud.regional_types, choice.type);
      if (regional && place != places.front()) continue;
      specs.push_back({.name = {},
                       .gib = choice.gib,
                       .performance = performance_of(choice, of_class, settings.cloud),
                       .zone = regional ? "" : place,
                       .snapshot = {},
                       .encrypted = of_class.encrypted,
                       .key = of_class.key,
                       .multi_attach = of_class.multi_attach,
                       .resource_group = of_class.resource_group,
                       .storage_cluster = of_class.storage_cluster,
                       .hpn_zone = of_class.hpn_zone,
                       .role = of_class.role,
                       .tags = {}});
    }
  }
  return specs;
}

std::string token_of(const DiskSpec& spec, const std::string& cluster, unsigned generation) {
  std::string tags;
  for (const auto& [key, value] : spec.tags) {
    for (const std::string& part : {key, value}) tags += std::to_string(part.size()) + ":" + part;
  }
  const auto flag = [](bool set) { return set ? "1" : "0"; };
  const Performance& performance = spec.performance;
  return token_of({"create disk", cluster, std::to_string(generation), spec.name, std::to_string(spec.gib),
                   performance.type, performance.level,
                   performance.iops ? std::to_string(*performance.iops) : "",
                   performance.bursting ? flag(*performance.bursting) : "", spec.zone, spec.snapshot,
                   flag(spec.encrypted), spec.key, flag(spec.multi_attach), spec.resource_group,
                   spec.storage_cluster, flag(spec.hpn_zone), spec.role, tags});
}

std::string in_words(const DiskSpec& spec) {
  std::string text = "a disk of";
  for (const std::string& each : {spec.performance.type, spec.performance.level}) {
    if (!each.empty()) text += " " + each;
  }
  text += (text.ends_with("of") ? " " : ", ") + std::to_string(spec.gib) + " GiB";
  if (!spec.zone.empty()) text += ", in " + spec.zone;
  return text;
}

}  // namespace holdfast::disk
