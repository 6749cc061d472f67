#include "csi-lvm/nrm/node_facts.h"

#include <algorithm>
#include <variant>

#include "common/block/allow_format.h"
#include "csi-lvm/nrm/topology.h"

namespace holdfast::nrm {
namespace {

using block::DeviceIdentity;

// Less than LVM's metadata and one extent.
constexpr std::uint64_t kLeastBytes = std::uint64_t{8} << 20;

std::string why_not_by_content(const DeviceIdentity& device, const Probe& probe, const std::string& fs_type) {
  if (!probe.content) return "cannot be looked at: " + probe.content.error().message;
  const block::Content& content = *probe.content;
  if (std::holds_alternative<block::Blank>(content)) return "";
  const auto* signature = std::get_if<block::Signature>(&content);
  if (signature != nullptr && !fs_type.empty() && signature->type == fs_type) return "";
  const std::string what = block::describe(content);
  if (std::holds_alternative<block::Unreadable>(content)) return what + ": it may be failing";
  if (signature != nullptr && (signature->type == "gpt" || signature->type == "dos")) {
    return what + ", a partition table: name a partition, or " + how_to_clear(device);
  }
  if (signature != nullptr && signature->type == "LVM2_member") {
    return "is marked for LVM, which does not list it (see pvs --all); " + how_to_unmark(device);
  }
  return what + "; " + how_to_clear(device);
}

bool is_volume(const NodeFacts& facts, const DeviceIdentity& device) {
  if (device.mapper_uuid.starts_with("LVM-")) return true;
  return std::ranges::any_of(device.stands_on, [&facts](const std::string& name) {
    const DeviceIdentity* below = facts.device(name);
    return below != nullptr && is_volume(facts, *below);
  });
}

std::string why_not_by_identity(const NodeFacts& facts, const DeviceIdentity& device) {
  if (is_volume(facts, device)) {
    return "is a logical volume, or stands on one: it is somebody's; name a disk or a partition";
  }
  if (!device.partitions.empty()) {
    return "has partitions (" + device.partitions.front() + "): name a partition instead";
  }
  if (!device.holders.empty()) return "is held by " + device.holders.front();
  if (device.read_only) return "is read-only";
  if (device.size_bytes < kLeastBytes) {
    return "has " + std::to_string(device.size_bytes) + " bytes, less than a volume group needs";
  }
  const auto twin = std::ranges::find_if(facts.devices, [&](const DeviceIdentity& other) {
    return !device.wwn.empty() && other.wwn == device.wwn && other.kernel_name != device.kernel_name &&
           other.whole_disk.empty() && device.whole_disk.empty();
  });
  if (twin == facts.devices.end()) return "";
  return "has the WWN of " + twin->kernel_name + ": these are paths of one disk; name its multipath device";
}

}  // namespace

const DeviceIdentity* NodeFacts::device(const std::string& kernel_name) const {
  const auto found = std::ranges::find(devices, kernel_name, &DeviceIdentity::kernel_name);
  return found == devices.end() ? nullptr : &*found;
}

const Member* NodeFacts::member(const std::string& kernel_name) const {
  const auto found = members.find(kernel_name);
  return found == members.end() ? nullptr : &found->second;
}

const GroupFacts* NodeFacts::group(const std::string& name, bool ours) const {
  const auto found = std::ranges::find_if(
      groups, [&](const GroupFacts& group) { return group.name == name && group.ours == ours; });
  return found == groups.end() ? nullptr : &*found;
}

std::string why_claimed(const NodeFacts& facts, const std::string& kernel_name, const std::string& entry) {
  const auto claims = facts.claims.find(kernel_name);
  if (claims == facts.claims.end()) return "";
  std::string names;
  for (const Claim& claim : claims->second) names.append(names.empty() ? "" : " and ").append(claim.entry);
  const bool is_named = std::ranges::find(claims->second, entry, &Claim::entry) != claims->second.end();
  if (!is_named) return "is named by " + names;
  if (claims->second.size() == 1) return "";
  const auto pinned = std::ranges::find(claims->second, true, &Claim::pinned);
  const bool one_has_it = std::ranges::count(claims->second, true, &Claim::pinned) == 1;
  if (one_has_it && pinned->entry == entry) return "";
  return "is named by " + names + ", and only one can have it" +
         (one_has_it ? ": " + pinned->entry + " does" : "") + "; take it out of the others";
}

std::string why_not_usable(const NodeFacts& facts, const DeviceIdentity& device, const std::string& entry,
                           const std::string& fs_type) {
  const auto probe = facts.probes.find(device.kernel_name);
  if (probe != facts.probes.end() && !probe->second.in_use.empty()) return probe->second.in_use;
  if (std::string why = why_claimed(facts, device.kernel_name, entry); !why.empty()) return why;
  if (std::string why = why_not_by_identity(facts, device); !why.empty()) return why;
  if (probe == facts.probes.end()) return "was not looked at";
  return why_not_by_content(device, probe->second, fs_type);
}

// A kernel's name may be another disk's after the next boot, and what is run by people later hits that.
std::string how_to_clear(const DeviceIdentity& device) {
  const std::string name = block::lasting_name(device_path(device.kernel_name), device);
  return "if all " + std::to_string(device.size_bytes) + " bytes of " + name +
         " may be lost, run on this node: holdfast volume allow-format " + name + " --lose-content";
}

std::string how_to_unmark(const DeviceIdentity& device) {
  const std::string path = device_path(device.kernel_name);
  const std::string name = block::lasting_name(path, device);
  return "if it is nobody's (" + identity_text(device) + "), take LVM's mark off it by pvremove " +
         (name.starts_with('/') ? name : path) + "; after that, " + how_to_clear(device);
}

std::string identity_text(const DeviceIdentity& device) {
  std::string text;
  const auto add = [&text](const char* what, const std::string& value) {
    if (value.empty()) return;
    text.append(text.empty() ? "" : ", ").append(what).append(value);
  };
  add("wwn ", plain_wwn(device.wwn));
  add("serial ", device.serial);
  if (!device.whole_disk.empty()) add("PARTUUID ", device.partition_uuid);
  return text.empty() ? "none that lasts" : text;
}

std::string device_path(const std::string& kernel_name) {
  std::string path = "/dev/" + kernel_name;
  std::ranges::replace(path, '!', '/');  // sysfs has '!' in its names where /dev has a folder
  return path;
}

}  // namespace holdfast::nrm
