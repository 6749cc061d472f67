#include "csi-lvm/nrm/node_facts.h"

#include <algorithm>
#include <variant>

#include "csi-lvm/nrm/topology.h"

namespace holdfast::nrm {
namespace {

using block::DeviceIdentity;

// Less than LVM's metadata and one extent.
constexpr std::uint64_t kLeastBytes = std::uint64_t{8} << 20;

std::string why_not_by_content(const Probe& probe, const std::string& fs_type) {
  if (!probe.content) return "cannot be looked at: " + probe.content.error().message;
  const block::Content& content = *probe.content;
  if (std::holds_alternative<block::Blank>(content)) return "";
  const auto* signature = std::get_if<block::Signature>(&content);
  if (signature != nullptr && !fs_type.empty() && signature->type == fs_type) return "";
  const std::string what = block::describe(content);
  if (std::holds_alternative<block::Unreadable>(content)) return what + ": it may be failing";
  if (signature != nullptr && (signature->type == "gpt" || signature->type == "dos")) {
    return what + ", a partition table: name a partition, or clear the disk with wipefs --all";
  }
  if (signature != nullptr && signature->type == "LVM2_member") {
    return "is marked for LVM, which does not list it (see pvs --all); pvremove takes the mark off";
  }
  return what + ": when nobody needs it, clear the device with wipefs --all or blkdiscard";
}

std::string why_not_by_identity(const NodeFacts& facts, const DeviceIdentity& device) {
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

std::string why_not_usable(const NodeFacts& facts, const DeviceIdentity& device, const std::string& fs_type) {
  const auto probe = facts.probes.find(device.kernel_name);
  if (probe != facts.probes.end() && !probe->second.in_use.empty()) return probe->second.in_use;
  if (std::string why = why_not_by_identity(facts, device); !why.empty()) return why;
  if (probe == facts.probes.end()) return "was not looked at";
  return why_not_by_content(probe->second, fs_type);
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
