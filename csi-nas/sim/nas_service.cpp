#include "csi-nas/sim/nas_service.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace holdfast::nas {

using cloud::sim::Failure;
using cloud::sim::SimAnswer;
using cloud::sim::SimCall;
using nlohmann::json;

namespace {

constexpr int kBadRequest = 400;
constexpr int kForbidden = 403;
constexpr int kNotFound = 404;
constexpr std::int64_t kLeastExtremeGib = 100;
constexpr std::size_t kPageSize = 100;

tl::unexpected<Failure> refuse(int status, std::string code, std::string message) {
  return tl::unexpected(Failure{status, std::move(code), std::move(message)});
}

std::int64_t number(const std::string& text, std::int64_t otherwise) {
  std::int64_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

// One call on the catalogue.
class NasService::Turn {
 public:
  Turn(const NasService& service, const SimCall& call, json& state)
      : now_(service.clock_.now().time_since_epoch().count()),
        settling_(service.settling_.count()),
        call_(call),
        state_(state) {}

  SimAnswer create_file_system();
  SimAnswer describe_file_systems();
  SimAnswer upgrade_file_system();
  SimAnswer delete_file_system();
  SimAnswer create_mount_target();
  SimAnswer describe_mount_targets();
  SimAnswer delete_mount_target();
  SimAnswer create_access_point();
  SimAnswer describe_access_points();
  SimAnswer delete_access_point();
  SimAnswer set_dir_quota();
  SimAnswer cancel_dir_quota();

 private:
  [[nodiscard]] std::string text(const char* name) const { return call_.parameters.value(name, ""); }
  // The file system that the call names; null when there is none.
  [[nodiscard]] json* file_system() {
    json& all = state_["fileSystems"];
    const auto found = all.find(text("FileSystemId"));
    return found == all.end() ? nullptr : &*found;
  }
  [[nodiscard]] static tl::unexpected<Failure> no_file_system() {
    return refuse(kNotFound, "InvalidFileSystem.NotFound", "The specified file system does not exist.");
  }
  [[nodiscard]] std::string next_id(const char* prefix) {
    constexpr std::int64_t kFirst = 10'000;
    const std::int64_t made = state_.value("made", std::int64_t{0}) + 1;
    state_["made"] = made;
    return prefix + std::to_string(kFirst + made);
  }
  [[nodiscard]] std::string status_of(const json& thing) const {
    return now_ - thing["made"].get<std::int64_t>() >= settling_ ? "Active" : "Pending";
  }
  [[nodiscard]] json mount_targets_of(const json& system) const;

  std::int64_t now_;
  std::int64_t settling_;
  const SimCall& call_;
  json& state_;
};

SimAnswer NasService::Turn::create_file_system() {
  const bool extreme = text("FileSystemType") == "extreme";
  const std::int64_t gib = number(text("Capacity"), 0);
  if (text("ProtocolType") != "NFS")
    return refuse(kBadRequest, "InvalidProtocolType.NotSupported", "Only NFS.");
  const std::array<const char*, 3> standard{"Performance", "Capacity", "Premium"};
  const std::array<const char*, 2> of_extreme{"standard", "advance"};
  const std::string storage = text("StorageType");
  const bool known = extreme ? std::ranges::find(of_extreme, storage) != of_extreme.end()
                             : std::ranges::find(standard, storage) != standard.end();
  if (!known)
    return refuse(kBadRequest, "InvalidStorageType.ValueNotSupported", "The StorageType is not valid.");
  if (extreme && gib < kLeastExtremeGib)
    return refuse(kBadRequest, "InvalidCapacity", "The Capacity is too small.");
  const std::string id = next_id(extreme ? "extreme-" : "1c9f");
  state_["fileSystems"][id] = {
      {"label", text("Description")},   {"type", text("FileSystemType")}, {"storage", storage},
      {"zone", text("ZoneId")},         {"gib", extreme ? gib : 0},       {"mountTargets", json::object()},
      {"accessPoints", json::object()}, {"quotas", json::object()}};
  return json{{"FileSystemId", id}};
}

json NasService::Turn::mount_targets_of(const json& system) const {
  json out = json::array();
  for (const auto& [domain, target] : system["mountTargets"].items()) {
    out.push_back({{"MountTargetDomain", domain},
                   {"Status", status_of(target)},
                   {"VpcId", target["vpc"]},
                   {"VswId", target["vswitch"]},
                   {"AccessGroup", target["group"]}});
  }
  return out;
}

SimAnswer NasService::Turn::describe_file_systems() {
  const std::string wanted = text("FileSystemId");
  if (!wanted.empty() && file_system() == nullptr) return no_file_system();
  json all = json::array();
  for (const auto& [id, system] : state_["fileSystems"].items()) {
    if (!wanted.empty() && id != wanted) continue;
    all.push_back({{"FileSystemId", id},
                   {"Description", system["label"]},
                   {"FileSystemType", system["type"]},
                   {"StorageType", system["storage"]},
                   {"Capacity", system["gib"]},
                   {"Status", "Running"},
                   {"MountTargets", {{"MountTarget", mount_targets_of(system)}}}});
  }
  const auto size = static_cast<std::size_t>(number(text("PageSize"), kPageSize));
  const auto page = static_cast<std::size_t>(number(text("PageNumber"), 1));
  json some = json::array();
  for (std::size_t i = (page - 1) * size; i < std::min(all.size(), page * size); ++i) some.push_back(all[i]);
  return json{{"FileSystems", {{"FileSystem", some}}}, {"TotalCount", all.size()}, {"PageNumber", page}};
}

SimAnswer NasService::Turn::upgrade_file_system() {
  json* const system = file_system();
  if (system == nullptr) return no_file_system();
  const std::int64_t gib = number(text("Capacity"), 0);
  if ((*system)["type"] != "extreme") {
    return refuse(kBadRequest, "InvalidFileSystem.TypeNotSupported", "The file system grows by itself.");
  }
  if (gib < (*system)["gib"].get<std::int64_t>())
    return refuse(kBadRequest, "InvalidCapacity", "It would shrink.");
  (*system)["gib"] = gib;
  return json::object();
}

SimAnswer NasService::Turn::delete_file_system() {
  const json* const system = file_system();
  if (system == nullptr) return no_file_system();
  if (!(*system)["mountTargets"].empty() || !(*system)["accessPoints"].empty()) {
    return refuse(kForbidden, "InvalidFileSystemStatus.MountTargetExist",
                  "It has mount targets or access points.");
  }
  state_["fileSystems"].erase(text("FileSystemId"));
  return json::object();
}

SimAnswer NasService::Turn::create_mount_target() {
  json* const system = file_system();
  if (system == nullptr) return no_file_system();
  if (text("NetworkType") == "Vpc" && (text("VpcId").empty() || text("VSwitchId").empty())) {
    return refuse(kBadRequest, "MissingVSwitchId", "VpcId and VSwitchId are required.");
  }
  constexpr std::size_t kMostTargets = 2;
  if ((*system)["mountTargets"].size() >= kMostTargets) {
    return refuse(kForbidden, "MountTargetQuotaExceeded", "There are two mount targets already.");
  }
  const std::string domain = text("FileSystemId") + "-" + next_id("m") + ".sim.nas.aliyuncs.com";
  (*system)["mountTargets"][domain] = {{"made", now_},
                                       {"vpc", text("VpcId")},
                                       {"vswitch", text("VSwitchId")},
                                       {"group", text("AccessGroupName")}};
  return json{{"MountTargetDomain", domain}};
}

SimAnswer NasService::Turn::describe_mount_targets() {
  const json* const system = file_system();
  if (system == nullptr) return no_file_system();
  const json targets = mount_targets_of(*system);
  return json{{"MountTargets", {{"MountTarget", targets}}}, {"TotalCount", targets.size()}};
}

SimAnswer NasService::Turn::delete_mount_target() {
  json* const system = file_system();
  if (system == nullptr) return no_file_system();
  if ((*system)["mountTargets"].erase(text("MountTargetDomain")) == 0) {
    return refuse(kNotFound, "InvalidMountTarget.NotFound", "The specified mount target does not exist.");
  }
  return json::object();
}

SimAnswer NasService::Turn::create_access_point() {
  json* const system = file_system();
  if (system == nullptr) return no_file_system();
  if ((*system)["type"] != "standard") {
    return refuse(kBadRequest, "InvalidFileSystem.TypeNotSupported",
                  "Access points are of standard file systems.");
  }
  if (text("VpcId").empty() || text("VswId").empty()) {
    return refuse(kBadRequest, "MissingVswId", "VpcId and VswId are required.");
  }
  const std::string id = next_id("ap-");
  const std::string domain = id + ".sim.nas.aliyuncs.com";
  (*system)["accessPoints"][id] = {
      {"made", now_}, {"name", text("AccessPointName")}, {"root", text("RootDirectory")}, {"domain", domain}};
  return json{{"AccessPoint", {{"AccessPointId", id}, {"AccessPointDomain", domain}}}};
}

SimAnswer NasService::Turn::describe_access_points() {
  const json* const system = file_system();
  if (system == nullptr) return no_file_system();
  json points = json::array();
  for (const auto& [id, point] : (*system)["accessPoints"].items()) {
    points.push_back({{"AccessPointId", id},
                      {"AccessPointName", point["name"]},
                      {"RootPath", point["root"]},
                      {"DomainName", point["domain"]},
                      {"Status", status_of(point)}});
  }
  return json{{"AccessPoints", points}, {"TotalCount", points.size()}};
}

SimAnswer NasService::Turn::delete_access_point() {
  json* const system = file_system();
  if (system == nullptr) return no_file_system();
  if ((*system)["accessPoints"].erase(text("AccessPointId")) == 0) {
    return refuse(kNotFound, "InvalidAccessPoint.NotFound", "The specified access point does not exist.");
  }
  return json::object();
}

SimAnswer NasService::Turn::set_dir_quota() {
  json* const system = file_system();
  if (system == nullptr) return no_file_system();
  const std::int64_t gib = number(text("SizeLimit"), 0);
  if (gib <= 0 || !text("Path").starts_with('/')) {
    return refuse(kBadRequest, "InvalidParameter.SizeLimit", "The Path or the SizeLimit is not valid.");
  }
  (*system)["quotas"][text("Path")] = gib;
  return json{{"Success", true}};
}

SimAnswer NasService::Turn::cancel_dir_quota() {
  json* const system = file_system();
  if (system == nullptr) return no_file_system();
  if ((*system)["quotas"].erase(text("Path")) == 0) {
    return refuse(kBadRequest, "InvalidParameter.QuotaNotExistOnPath", "There is no quota on the path.");
  }
  return json{{"Success", true}};
}

SimAnswer NasService::serve(const SimCall& call, json& state) {
  using Verb = SimAnswer (Turn::*)();
  constexpr std::array<std::pair<std::string_view, Verb>, 12> kVerbs{
      std::pair{"CreateFileSystem", &Turn::create_file_system},
      std::pair{"DescribeFileSystems", &Turn::describe_file_systems},
      std::pair{"UpgradeFileSystem", &Turn::upgrade_file_system},
      std::pair{"DeleteFileSystem", &Turn::delete_file_system},
      std::pair{"CreateMountTarget", &Turn::create_mount_target},
      std::pair{"DescribeMountTargets", &Turn::describe_mount_targets},
      std::pair{"DeleteMountTarget", &Turn::delete_mount_target},
      std::pair{"CreateAccessPoint", &Turn::create_access_point},
      std::pair{"DescribeAccessPoints", &Turn::describe_access_points},
      std::pair{"DeleteAccessPoint", &Turn::delete_access_point},
      std::pair{"SetDirQuota", &Turn::set_dir_quota},
      std::pair{"CancelDirQuota", &Turn::cancel_dir_quota},
  };
  if (!state.contains("fileSystems")) state["fileSystems"] = json::object();
  const auto* const found =
      std::ranges::find(kVerbs, call.action, [](const auto& each) { return each.first; });
  if (found == kVerbs.end()) return refuse(kNotFound, "InvalidAction", "The specified action is not known.");
  Turn turn(*this, call, state);
  return (turn.*found->second)();
}

}  // namespace holdfast::nas
