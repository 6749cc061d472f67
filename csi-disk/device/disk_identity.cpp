#include "csi-disk/device/disk_identity.h"

#include <algorithm>

namespace holdfast::disk {
namespace {

constexpr std::size_t kVirtioSerialBytes = 20;
constexpr std::size_t kLongestSerial = 252;
constexpr std::string_view kSerialMark = "{serial}";

bool is_same_serial(std::string_view wanted, std::string_view found) {
  if (wanted == found) return true;
  return found.size() == kVirtioSerialBytes && wanted.starts_with(found);
}

// Kept short as virtio would: udev makes its links of what the kernel tells.
std::vector<std::string> as_told(const std::string& serial) {
  std::vector<std::string> texts{serial};
  if (serial.size() > kVirtioSerialBytes) texts.push_back(serial.substr(0, kVirtioSerialBytes));
  return texts;
}

}  // namespace

std::string describe(const DiskIdentity& identity) {
  return identity.serial.empty() ? "WWN " + identity.wwn : "serial number " + identity.serial;
}

DiskIdentity identity_of(const block::DeviceMarks& marks, const DeviceRules& rules) {
  if (rules.loops && !marks.backing_file.empty()) {
    return {.serial = std::filesystem::path(marks.backing_file).stem().string()};
  }
  return {.serial = marks.serial, .wwn = marks.wwn};
}

bool is_same(const DiskIdentity& wanted, const DiskIdentity& found) {
  if (!wanted.wwn.empty() && wanted.wwn != found.wwn) return false;
  if (!wanted.serial.empty() && !is_same_serial(wanted.serial, found.serial)) return false;
  return !wanted.wwn.empty() || !wanted.serial.empty();
}

bool is_serial(std::string_view text) {
  if (text.empty() || text.size() > kLongestSerial || text == "." || text == "..") return false;
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f' && c != '/'; });
}

std::vector<std::filesystem::path> links_of(const DeviceRules& rules, const std::string& serial) {
  std::vector<std::filesystem::path> out;
  if (!is_serial(serial)) return out;
  for (const std::string& pattern : rules.links) {
    const std::size_t at = pattern.find(kSerialMark);
    if (at == std::string::npos || pattern.find('/') != std::string::npos) continue;
    for (const std::string& text : as_told(serial)) {
      out.push_back(rules.by_id / std::string(pattern).replace(at, kSerialMark.size(), text));
    }
  }
  return out;
}

}  // namespace holdfast::disk
