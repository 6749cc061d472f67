#include "csi-lvm/lvm/devices_file.h"

#include <algorithm>
#include <optional>

#include "common/base/text.h"
#include "csi-lvm/lvm/lvm_environment.h"

namespace holdfast::lvm {
namespace {

constexpr std::string_view kEnding = ".devices";
constexpr std::string_view kHosts = "system.devices";
constexpr std::string_view kId = "PVID=";
constexpr std::size_t kMostBytes = std::size_t{4} << 20;

bool is_claimed(const VolumeGroup& group, const std::set<std::string>& claimed) {
  return std::ranges::any_of(
      group.disks, [&claimed](const PhysicalVolume& disk) { return claimed.contains(plain_id(disk.uuid)); });
}

}  // namespace

std::set<std::string> disks_named_by(std::string_view text) {
  std::set<std::string> ids;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    if (trim(line).starts_with('#')) continue;
    while (!line.empty()) {
      const std::string_view word = trim(take_until(line, ' '));
      if (!word.starts_with(kId)) continue;
      std::string id = plain_id(std::string(word.substr(kId.size())));
      if (!id.empty() && id != ".") ids.insert(std::move(id));
    }
  }
  return ids;
}

Result<std::optional<std::set<std::string>>> disks_of(const std::string& devices_file) {
  PosixFiles files;
  HOLDFAST_TRY(const std::optional<std::string> text,
               files.read(devices_folder() / devices_file, kMostBytes));
  if (!text) return std::nullopt;
  return disks_named_by(*text);
}

std::vector<std::string> unseen_of(std::set<std::string> named, const Inventory& inventory) {
  const auto see = [&named](const std::vector<PhysicalVolume>& disks) {
    for (const PhysicalVolume& disk : disks) named.erase(plain_id(disk.uuid));
  };
  see(inventory.loose_disks);
  for (const VolumeGroup& group : inventory.groups) see(group.disks);
  return {named.begin(), named.end()};
}

bool is_another(const std::set<std::string>& named, const std::set<std::string>& known) {
  const auto is_known = [&known](const std::string& id) { return known.contains(id); };
  return named.empty() || (!known.empty() && std::ranges::none_of(named, is_known));
}

bool is_of(const VolumeGroup& group, const std::set<std::string>& known) {
  return std::ranges::any_of(group.disks, [](const PhysicalVolume& disk) { return !disk.missing; }) &&
         std::ranges::all_of(group.disks, [&known](const PhysicalVolume& disk) {
           return disk.missing || known.contains(plain_id(disk.uuid));
         });
}

Result<std::set<std::string>> disks_of_others(Files& files, const std::filesystem::path& folder,
                                              const std::string& ours) {
  std::set<std::string> ids;
  HOLDFAST_TRY(const std::vector<std::string> names, files.list(folder));
  for (const std::string& name : names) {
    if (!name.ends_with(kEnding) || name == ours || name == kHosts) continue;
    const auto text = files.read(folder / name, kMostBytes);
    if (text && *text) ids.merge(disks_named_by(**text));
  }
  return ids;
}

namespace {

bool lacks(const VolumeGroup& group, const std::string& disk) {
  const auto found = std::ranges::find(group.disks, disk, &PhysicalVolume::uuid);
  return found != group.disks.end() && found->missing;
}

}  // namespace

std::vector<GroupDisks> lost_groups(const Inventory& ours, const Inventory& host,
                                    const std::set<std::string>& claimed,
                                    const std::function<bool(const VolumeGroup&)>& is_ours) {
  std::vector<GroupDisks> lost;
  for (const VolumeGroup& group : host.groups) {
    const VolumeGroup* seen = ours.group(group.name);
    if (seen != nullptr && seen->uuid != group.uuid) continue;
    // One of which we see a part has had its disks in our file.
    if ((seen == nullptr && !is_ours(group)) || is_claimed(group, claimed)) continue;
    GroupDisks disks{.group = group.name, .devices = {}};
    for (const PhysicalVolume& disk : group.disks) {
      if (!disk.missing && (seen == nullptr || lacks(*seen, disk.uuid))) disks.devices.push_back(disk.device);
    }
    if (!disks.devices.empty()) lost.push_back(std::move(disks));
  }
  return lost;
}

}  // namespace holdfast::lvm
