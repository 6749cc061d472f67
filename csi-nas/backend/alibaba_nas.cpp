#include "csi-nas/backend/alibaba_nas.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"

namespace holdfast::nas {
namespace {

using cloud::AlibabaApi;
using cloud::Answer;
using cloud::CallEnd;
using cloud::Done;
using nlohmann::json;

constexpr int kPageSize = 100;
constexpr int kMostPages = 100;
constexpr std::int64_t kMostGib = std::int64_t{1} << 40;

// An answer that lacks what it should have: nobody can say what was done.
template <class T>
Answer<T> checked(Result<T> read) {
  if (read) return *std::move(read);
  return cloud::ends(CallEnd::kUnknownOutcome, "the answer is not of the API: " + read.error().message);
}

Result<std::vector<FileSystem>> file_systems_in(const json& answer) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(answer));
  HOLDFAST_TRY(const JsonObject list, object["FileSystems"].object());
  HOLDFAST_TRY(const std::vector<JsonField> fields, list["FileSystem"].array());
  std::vector<FileSystem> out;
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(const JsonObject each, field.object());
    FileSystem one;
    HOLDFAST_TRY(one.id, each["FileSystemId"].string());
    HOLDFAST_TRY(one.label, each["Description"].string_or(""));
    HOLDFAST_TRY(const std::int64_t gib, each["Capacity"].integer_or(0, 0, kMostGib));
    one.gib = static_cast<std::uint64_t>(gib);
    out.push_back(std::move(one));
  }
  return out;
}

Result<std::vector<MountTarget>> mount_targets_in(const json& answer) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(answer));
  HOLDFAST_TRY(const JsonObject list, object["MountTargets"].object());
  HOLDFAST_TRY(const std::vector<JsonField> fields, list["MountTarget"].array());
  std::vector<MountTarget> out;
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(const JsonObject each, field.object());
    HOLDFAST_TRY(std::string domain, each["MountTargetDomain"].string_or(""));
    HOLDFAST_TRY(const std::string status, each["Status"].string_or(""));
    const bool active = status == "Active" && !domain.empty();
    out.push_back({.domain = std::move(domain), .active = active});
  }
  return out;
}

Result<std::vector<AccessPoint>> access_points_in(const json& answer) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(answer));
  HOLDFAST_TRY(const std::vector<JsonField> fields, object["AccessPoints"].array_or_empty());
  std::vector<AccessPoint> out;
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(const JsonObject each, field.object());
    AccessPoint one;
    HOLDFAST_TRY(one.id, each["AccessPointId"].string());
    HOLDFAST_TRY(one.name, each["AccessPointName"].string_or(""));
    HOLDFAST_TRY(one.root, each["RootPath"].string_or(""));
    HOLDFAST_TRY(one.domain, each["DomainName"].string_or(""));
    HOLDFAST_TRY(const std::string status, each["Status"].string_or(""));
    one.active = status == "Active" && !one.domain.empty();
    out.push_back(std::move(one));
  }
  return out;
}

Result<std::string> text_in(const json& answer, std::string_view key) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(answer));
  return object[key].string();
}

Result<std::int64_t> count_in(const json& answer, std::string_view key) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(answer));
  return object[key].integer_or(0, 0, kMostGib);
}

// What is deleted is not there.
Done gone(Done done) {
  if (!done && done.error().end == CallEnd::kNoSuchThing) return {};
  return done;
}

}  // namespace

Answer<std::vector<FileSystem>> read_file_systems(const json& answer) {
  return checked(file_systems_in(answer));
}
Answer<std::vector<MountTarget>> read_mount_targets(const json& answer) {
  return checked(mount_targets_in(answer));
}
Answer<std::vector<AccessPoint>> read_access_points(const json& answer) {
  return checked(access_points_in(answer));
}

std::string AlibabaNas::url_of(const std::string& region) {
  return "https://nas." + region + ".aliyuncs.com";
}

Done AlibabaNas::run(const AlibabaApi::Call& call) {
  HOLDFAST_TRY(const json answer, api_.call(call));
  return {};
}

Answer<std::string> AlibabaNas::create_file_system(const FileSystemSpec& spec, const std::string& token,
                                                   Deadline deadline) {
  AlibabaApi::Call call{.action = "CreateFileSystem", .token = token, .deadline = deadline};
  call.parameters = {{"RegionId", region_},
                     {"ProtocolType", "NFS"},
                     {"FileSystemType", spec.type},
                     {"StorageType", spec.storage},
                     {"ChargeType", "PayAsYouGo"},
                     {"Description", spec.label},
                     {"EncryptType", spec.encrypted ? "1" : "0"}};
  if (!spec.zone.empty()) call.parameters["ZoneId"] = spec.zone;
  if (!spec.snapshot.empty()) call.parameters["SnapshotId"] = spec.snapshot;
  if (spec.gib > 0) call.parameters["Capacity"] = std::to_string(spec.gib);
  HOLDFAST_TRY(const json answer, api_.call(call));
  return checked(text_in(answer, "FileSystemId"));
}

Answer<std::vector<FileSystem>> AlibabaNas::file_systems(const std::string& label, Deadline deadline) {
  std::vector<FileSystem> out;
  std::size_t seen = 0;
  for (int page = 1; page <= kMostPages; ++page) {
    AlibabaApi::Call call{.action = "DescribeFileSystems", .deadline = deadline};
    call.parameters = {{"RegionId", region_},
                       {"FileSystemType", "all"},
                       {"PageSize", std::to_string(kPageSize)},
                       {"PageNumber", std::to_string(page)}};
    HOLDFAST_TRY(const json answer, api_.call(call));
    HOLDFAST_TRY(std::vector<FileSystem> some, read_file_systems(answer));
    HOLDFAST_TRY(const std::int64_t total, checked(count_in(answer, "TotalCount")));
    seen += some.size();
    const bool last = some.empty() || seen >= static_cast<std::size_t>(total);
    std::erase_if(some, [&label](const FileSystem& each) { return each.label != label; });
    out.insert(out.end(), some.begin(), some.end());
    if (last) return out;
  }
  return cloud::ends(CallEnd::kUnknownOutcome, "there are too many file systems to look through");
}

Done AlibabaNas::grow_file_system(const std::string& id, std::uint64_t gib, const std::string& token,
                                  Deadline deadline) {
  return run({.action = "UpgradeFileSystem",
              .parameters = {{"FileSystemId", id}, {"Capacity", std::to_string(gib)}},
              .token = token,
              .deadline = deadline});
}

Done AlibabaNas::delete_file_system(const std::string& id, Deadline deadline) {
  return gone(
      run({.action = "DeleteFileSystem", .parameters = {{"FileSystemId", id}}, .deadline = deadline}));
}

Done AlibabaNas::create_mount_target(const MountTargetSpec& spec, Deadline deadline) {
  AlibabaApi::Call call{.action = "CreateMountTarget", .deadline = deadline};
  call.parameters = {{"FileSystemId", spec.file_system},
                     {"NetworkType", spec.network},
                     {"AccessGroupName", spec.access_group}};
  if (!spec.vpc.empty()) call.parameters["VpcId"] = spec.vpc;
  if (!spec.vswitch.empty()) call.parameters["VSwitchId"] = spec.vswitch;
  return run(call);
}

Answer<std::vector<MountTarget>> AlibabaNas::mount_targets(const std::string& file_system,
                                                           Deadline deadline) {
  AlibabaApi::Call call{.action = "DescribeMountTargets", .deadline = deadline};
  call.parameters = {{"FileSystemId", file_system}, {"PageSize", std::to_string(kPageSize)}};
  HOLDFAST_TRY(const json answer, api_.call(call));
  return read_mount_targets(answer);
}

Done AlibabaNas::delete_mount_target(const std::string& file_system, const std::string& domain,
                                     Deadline deadline) {
  return gone(run({.action = "DeleteMountTarget",
                   .parameters = {{"FileSystemId", file_system}, {"MountTargetDomain", domain}},
                   .deadline = deadline}));
}

Done AlibabaNas::create_access_point(const AccessPointSpec& spec, Deadline deadline) {
  return run({.action = "CreateAccessPoint",
              .parameters = {{"FileSystemId", spec.file_system},
                             {"AccessPointName", spec.name},
                             {"RootDirectory", spec.root},
                             {"VpcId", spec.vpc},
                             {"VswId", spec.vswitch},
                             {"AccessGroup", spec.access_group},
                             {"OwnerUserId", std::to_string(spec.owner)},
                             {"OwnerGroupId", std::to_string(spec.group)}},
              .deadline = deadline});
}

Answer<std::vector<AccessPoint>> AlibabaNas::access_points(const std::string& file_system,
                                                           const std::string& name, Deadline deadline) {
  std::vector<AccessPoint> out;
  std::string next;
  for (int page = 1; page <= kMostPages; ++page) {
    AlibabaApi::Call call{.action = "DescribeAccessPoints", .deadline = deadline};
    call.parameters = {{"FileSystemId", file_system}, {"MaxResults", std::to_string(kPageSize)}};
    if (!next.empty()) call.parameters["NextToken"] = next;
    HOLDFAST_TRY(const json answer, api_.call(call));
    HOLDFAST_TRY(std::vector<AccessPoint> some, read_access_points(answer));
    std::erase_if(some, [&name](const AccessPoint& each) { return each.name != name; });
    out.insert(out.end(), some.begin(), some.end());
    next = text_in(answer, "NextToken").value_or("");
    if (next.empty()) return out;
  }
  return cloud::ends(CallEnd::kUnknownOutcome, "there are too many access points to look through");
}

Done AlibabaNas::delete_access_point(const std::string& file_system, const std::string& id,
                                     Deadline deadline) {
  return gone(run({.action = "DeleteAccessPoint",
                   .parameters = {{"FileSystemId", file_system}, {"AccessPointId", id}},
                   .deadline = deadline}));
}

Done AlibabaNas::set_quota(const std::string& file_system, const std::string& path, std::uint64_t gib,
                           Deadline deadline) {
  return run({.action = "SetDirQuota",
              .parameters = {{"FileSystemId", file_system},
                             {"Path", path},
                             {"UserType", "AllUsers"},
                             {"QuotaType", "Enforcement"},
                             {"SizeLimit", std::to_string(gib)}},
              .deadline = deadline});
}

Done AlibabaNas::cancel_quota(const std::string& file_system, const std::string& path, Deadline deadline) {
  Done done = run({.action = "CancelDirQuota",
                   .parameters = {{"FileSystemId", file_system}, {"Path", path}, {"UserType", "AllUsers"}},
                   .deadline = deadline});
  if (!done && done.error().code.find("QuotaNotExist") != std::string::npos) return {};
  return gone(std::move(done));
}

}  // namespace holdfast::nas
