#include "csi-nas/controller/cloud_class.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "common/base/text.h"
#include "csi-nas/volumes/share_path.h"

namespace holdfast::nas {
namespace {

using Parameters = std::map<std::string, std::string>;

// One of these words, in whatever case, as the cloud spells it; the first when it is not told.
Result<std::string> one_of(const Parameters& parameters, std::string_view key,
                           std::initializer_list<std::string_view> words) {
  const std::string text = parameter_value(parameters, key);
  if (text.empty()) return std::string(*words.begin());
  const auto same = [&text](std::string_view word) { return lower_case(word) == lower_case(text); };
  const auto* const found = std::find_if(words.begin(), words.end(), same);
  if (found != words.end()) return std::string(*found);
  std::string why = "is none of";
  for (const std::string_view word : words) {
    why += ' ';
    why += word;
  }
  return refuse_parameter(key, text, why);
}

Result<std::string> required(const Parameters& parameters, std::string_view key) {
  std::string text = parameter_value(parameters, key);
  if (text.empty()) return refuse_parameter(key, text, "is missing: this volumeAs needs it");
  return text;
}

Result<bool> truth(const Parameters& parameters, std::string_view key) {
  HOLDFAST_TRY(const std::string word, one_of(parameters, key, {"false", "true"}));
  return word == "true";
}

Result<std::uint32_t> user_id(const Parameters& parameters, std::string_view key) {
  const std::string text = parameter_value(parameters, key);
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || (error == std::errc{} && end == text.data() + text.size())) return value;
  return refuse_parameter(key, text, "is not the number of a user or group");
}

Status read_file_system(const Parameters& parameters, CloudClass& into) {
  FileSystemSpec& spec = into.file_system;
  HOLDFAST_CHECK(one_of(parameters, "protocoltype", {"NFS"}));
  HOLDFAST_TRY(spec.type, one_of(parameters, "filesystemtype", {"standard", "extreme"}));
  const bool extreme = spec.type == "extreme";
  HOLDFAST_TRY(spec.storage, extreme
                                 ? one_of(parameters, "storagetype", {"standard", "advance"})
                                 : one_of(parameters, "storagetype", {"Performance", "Capacity", "Premium"}));
  HOLDFAST_TRY(const std::string encrypted, one_of(parameters, "encrypttype", {"0", "1"}));
  spec.encrypted = encrypted == "1";
  spec.zone = parameter_value(parameters, "zoneid");
  if (extreme && spec.zone.empty())
    return refuse_parameter("zoneId", "", "is missing: extreme NAS is of one zone");
  spec.snapshot = parameter_value(parameters, "snapshotid");
  if (!extreme && !spec.snapshot.empty()) {
    return refuse_parameter("snapshotID", spec.snapshot, "is of extreme NAS alone");
  }
  HOLDFAST_TRY(into.target.network, one_of(parameters, "networktype", {"Vpc", "Classic"}));
  HOLDFAST_TRY(into.delete_volume, truth(parameters, "deletevolume"));
  return {};
}

Status read_access_point(const Parameters& parameters, CloudClass& into) {
  HOLDFAST_TRY(into.point.file_system, required(parameters, "filesystemid"));
  std::string path = parameter_value(parameters, "path");
  if (path.empty()) path = "/";
  HOLDFAST_TRY(into.point.root, clean_path(path));
  HOLDFAST_TRY(into.point.owner, user_id(parameters, "accesspointowneruserid"));
  HOLDFAST_TRY(into.point.group, user_id(parameters, "accesspointownergroupid"));
  HOLDFAST_TRY(const bool capacity, truth(parameters, "volumecapacity"));
  HOLDFAST_TRY(const bool expansion, truth(parameters, "allowvolumeexpansion"));
  into.quota = capacity || expansion;
  return {};
}

}  // namespace

Result<CloudClass> parse_cloud_class(VolumeAs what, const Parameters& parameters, const std::string& region) {
  CloudClass out;
  const std::string told = parameter_value(parameters, "regionid");
  if (!told.empty() && told != region) {
    return refuse_parameter("regionId", told, "is not this controller's region, " + region);
  }
  if (!parameter_value(parameters, "containernetworkfilesystem").empty()) {
    return refuse_parameter(
        "containerNetworkFileSystem", parameter_value(parameters, "containernetworkfilesystem"),
        "is an object that this driver does not read: name the file system by fileSystemId");
  }
  if (what == VolumeAs::kFilesystem) {
    HOLDFAST_CHECK(read_file_system(parameters, out));
  } else {
    HOLDFAST_CHECK(read_access_point(parameters, out));
  }
  if (out.target.network == "Vpc") {
    HOLDFAST_TRY(out.target.vpc, required(parameters, "vpcid"));
    HOLDFAST_TRY(out.target.vswitch, required(parameters, "vswitchid"));
  }
  const std::string group = parameter_value(parameters, "accessgroupname");
  if (!group.empty()) out.target.access_group = group;
  out.point.vpc = out.target.vpc;
  out.point.vswitch = out.target.vswitch;
  out.point.access_group = out.target.access_group;
  return out;
}

}  // namespace holdfast::nas
