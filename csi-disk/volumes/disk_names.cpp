#include "csi-disk/volumes/disk_names.h"

#include <algorithm>

#include "common/base/sha.h"

namespace holdfast::disk {
namespace {

constexpr std::size_t kLeastBytes = 2;
constexpr std::size_t kMostBytes = 60;
constexpr std::size_t kHashDigits = 40;
constexpr std::string_view kHashed = "csi-";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_plain(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'; }

std::string hashed(std::initializer_list<std::string_view> parts) {
  return std::string(kHashed) + token_of(parts);
}

}  // namespace

bool is_cloud_name(std::string_view name) {
  return name.size() >= kLeastBytes && name.size() <= kMostBytes && is_letter(name.front()) &&
         std::ranges::all_of(name, is_plain);
}

std::string disk_name_of(std::string_view name, std::string_view cluster) {
  if (cluster.empty() && is_cloud_name(name) && !name.starts_with(kHashed)) return std::string(name);
  return hashed({cluster, name});
}

std::string clone_snapshot_name(std::string_view disk_name) { return hashed({"clone", disk_name, ""}); }

std::string last_snapshot_name(std::string_view disk_id, std::string_view deletion) {
  return hashed({"last", disk_id, deletion});
}

std::string token_of(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) {
    text += std::to_string(part.size());
    text += ':';
    text += part;
  }
  return sha256_hex(text).substr(0, kHashDigits);
}

bool is_id(std::string_view id, std::string_view prefix) {
  return id.size() > prefix.size() && id.starts_with(prefix) && std::ranges::all_of(id, is_plain);
}

}  // namespace holdfast::disk
