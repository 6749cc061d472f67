#include "csi-disk/sim/alibaba_wire.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "common/base/json.h"
#include "csi-disk/sim/trouble_codes.h"

namespace holdfast::disk {
namespace {

using cloud::sim::Failure;
using cloud::sim::SimAnswer;
using cloud::sim::SimCall;
using nlohmann::json;

constexpr int kBadRequest = 400;
constexpr int kNotFound = 404;
constexpr std::int64_t kMostPerPage = 500;
constexpr std::int64_t kUsualPage = 10;
constexpr std::string_view kPageMark = "after-";
constexpr std::string_view kDiskPrefix = "d-sim";
constexpr std::string_view kSnapshotPrefix = "s-sim";
constexpr std::string_view kNodeType = "ecs.sim-";

tl::unexpected<Failure> no(Trouble trouble) { return tl::unexpected(alibaba_failure(trouble)); }

SimAnswer done(const Outcome<void>& outcome) {
  if (!outcome) return no(outcome.error());
  return json::object();
}

std::string utc(std::int64_t seconds) {
  return utc_text(std::chrono::sys_seconds(std::chrono::seconds(seconds)));
}

json tags_of(const json& thing) {
  json out = json::array();
  for (const auto& [key, value] : thing["tags"].items()) {
    out.push_back({{"TagKey", key}, {"TagValue", value}});
  }
  return {{"Tag", out}};
}

}  // namespace

// One call. Its parameters are texts.
class AlibabaTurn {
 public:
  AlibabaTurn(const SimCall& call, DiskCatalogue& all, const DiskShop& shop)
      : call_(call), all_(all), shop_(shop) {}

  SimAnswer create_disk();
  SimAnswer delete_disk() { return done(all_.delete_disk(text("DiskId"))); }
  SimAnswer describe_disks();
  SimAnswer attach_disk() { return done(all_.attach(text("DiskId"), text("InstanceId"))); }
  SimAnswer detach_disk() { return done(all_.detach(text("DiskId"), text("InstanceId"))); }
  SimAnswer resize_disk() { return done(all_.grow(text("DiskId"), number("NewSize", 0))); }
  SimAnswer modify_disk_spec() {
    return done(all_.respec(text("DiskId"), text("DiskCategory"), text("PerformanceLevel"),
                            number("ProvisionedIops", 0)));
  }
  SimAnswer modify_disk_attribute() {
    return done(all_.set_bursting(text("DiskId"), text("BurstingEnabled") == "true"));
  }
  SimAnswer tag_resources();
  SimAnswer untag_resources();
  SimAnswer create_snapshot();
  SimAnswer delete_snapshot() { return done(all_.delete_snapshot(text("SnapshotId"))); }
  SimAnswer describe_snapshots();
  SimAnswer describe_instances();
  SimAnswer describe_instance_types();
  SimAnswer describe_available_resource();

 private:
  [[nodiscard]] std::string text(const std::string& key) const { return call_.parameters.value(key, ""); }
  [[nodiscard]] std::int64_t number(const std::string& key, std::int64_t otherwise) const {
    const std::string words = text(key);
    std::int64_t value = otherwise;
    std::from_chars(words.data(), words.data() + words.size(), value);
    return value;
  }
  // "Tag.1.Key", "Tag.1.Value", and so on.
  [[nodiscard]] std::map<std::string, std::string> tags() const;
  // The ids of a parameter that is a JSON array in a text; nullopt: there is none.
  [[nodiscard]] std::optional<std::set<std::string>> ids(const std::string& key) const;
  [[nodiscard]] json* tagged_thing();
  [[nodiscard]] json disk_view(const std::string& id, const json& disk) const;
  [[nodiscard]] json snapshot_view(const std::string& id, const json& snapshot) const;
  template <class View, class Fits>
  SimAnswer page_of(const json& things, const char* list, const char* item, const Fits& fits,
                    const View& view) const;

  const SimCall& call_;
  DiskCatalogue& all_;
  const DiskShop& shop_;
};

std::map<std::string, std::string> AlibabaTurn::tags() const {
  std::map<std::string, std::string> out;
  constexpr int kMostTags = 20;
  for (int n = 1; n <= kMostTags; ++n) {
    const std::string stem = "Tag." + std::to_string(n);
    if (!text(stem + ".Key").empty()) out[text(stem + ".Key")] = text(stem + ".Value");
  }
  return out;
}

std::optional<std::set<std::string>> AlibabaTurn::ids(const std::string& key) const {
  if (text(key).empty()) return std::nullopt;
  const Result<json> list = parse_json(text(key));
  std::set<std::string> out;
  if (!list || !list->is_array()) return out;
  for (const json& each : *list) {
    if (each.is_string()) out.insert(each.get<std::string>());
  }
  return out;
}

SimAnswer AlibabaTurn::create_disk() {
  Wanted wanted{.prefix = std::string(kDiskPrefix), .name = text("DiskName"), .gib = number("Size", 0)};
  wanted.type = text("DiskCategory").empty() ? "cloud" : text("DiskCategory");
  wanted.level = text("PerformanceLevel");
  wanted.iops = number("ProvisionedIops", 0);
  wanted.bursting = text("BurstingEnabled") == "true";
  wanted.zone = text("ZoneId").empty() ? shop_.zones.front() : text("ZoneId");
  wanted.snapshot = text("SnapshotId");
  wanted.encrypted = text("Encrypted") == "true";
  wanted.key = text("KMSKeyId");
  wanted.multi_attach = text("MultiAttach") == "Enabled";
  const Outcome<std::string> id = all_.create_disk(wanted);
  if (!id) return no(id.error());
  (*all_.disk(*id))["tags"] = tags();
  return json{{"DiskId", *id}};
}

json AlibabaTurn::disk_view(const std::string& id, const json& disk) const {
  json attachments = json::array();
  std::string status = all_.settled(disk) ? "Available" : "Creating";
  for (const Attachment& each : all_.attachments(disk)) {
    constexpr std::array<const char*, 3> kNames{"Attaching", "In_use", "Detaching"};
    status = kNames.at(static_cast<std::size_t>(each.phase));
    attachments.push_back({{"InstanceId", each.node}, {"Device", ""}});
  }
  const std::string first = attachments.empty() ? "" : attachments[0]["InstanceId"].get<std::string>();
  json locks = json::array();
  if (all_.in_arrears()) locks.push_back({{"LockReason", "financial"}});
  return {{"DiskId", id},
          {"DiskName", disk["name"]},
          {"Size", disk["gib"]},
          {"Category", disk["type"]},
          {"PerformanceLevel", disk["level"]},
          {"ProvisionedIops", disk["iops"]},
          {"BurstingEnabled", disk["bursting"]},
          {"ZoneId", disk["zone"]},
          {"RegionId", shop_.region},
          {"Status", status},
          {"Type", "data"},
          {"InstanceId", first},
          {"Attachments", {{"Attachment", attachments}}},
          {"SerialNumber", serial_of(id)},
          {"SourceSnapshotId", disk["snapshot"]},
          {"Encrypted", disk["encrypted"]},
          {"KMSKeyId", disk["key"]},
          {"MultiAttach", disk["multi"].get<bool>() ? "Enabled" : "Disabled"},
          {"OperationLocks", {{"OperationLock", locks}}},
          {"Tags", tags_of(disk)}};
}

json AlibabaTurn::snapshot_view(const std::string& id, const json& snapshot) const {
  const bool ready = all_.settled(snapshot);
  return {{"SnapshotId", id},
          {"SnapshotName", snapshot["name"]},
          {"SourceDiskId", snapshot["disk"]},
          {"SourceDiskSize", std::to_string(snapshot["gib"].get<std::int64_t>())},
          {"Status", ready ? "accomplished" : "progressing"},
          {"Progress", std::to_string(all_.progress(snapshot)) + "%"},
          {"Available", ready},
          {"CreationTime", utc(snapshot["cut"].get<std::int64_t>())},
          {"Tags", tags_of(snapshot)}};
}

// In the order of the ids, which is that of their making.
template <class View, class Fits>
SimAnswer AlibabaTurn::page_of(const json& things, const char* list, const char* item, const Fits& fits,
                               const View& view) const {
  const auto& all = things.get_ref<const json::object_t&>();
  const std::string from = text("NextToken");
  if (!from.empty() && !from.starts_with(kPageMark)) {
    return tl::unexpected(Failure{kBadRequest, "InvalidParameter.NextToken", "The token is not valid."});
  }
  const auto most = static_cast<std::size_t>(std::clamp<std::int64_t>(
      text("MaxResults").empty() ? number("PageSize", kUsualPage) : number("MaxResults", kUsualPage), 1,
      kMostPerPage));
  json some = json::array();
  std::string last;
  std::string next;
  for (auto it = from.empty() ? all.begin() : all.upper_bound(from.substr(kPageMark.size())); it != all.end();
       ++it) {
    if (!fits(it->first, it->second)) continue;
    if (some.size() == most) {
      next = std::string(kPageMark) + last;
      break;
    }
    some.push_back(view(it->first, it->second));
    last = it->first;
  }
  return json{{list, {{item, some}}}, {"NextToken", next}};
}

SimAnswer AlibabaTurn::describe_disks() {
  const auto wanted = ids("DiskIds");
  const std::string name = text("DiskName");
  return page_of(
      all_.disks(), "Disks", "Disk",
      [&](const std::string& id, const json& disk) {
        return (!wanted || wanted->contains(id)) && (name.empty() || disk["name"] == name);
      },
      [this](const std::string& id, const json& disk) { return disk_view(id, disk); });
}

SimAnswer AlibabaTurn::describe_snapshots() {
  const auto wanted = ids("SnapshotIds");
  const std::string name = text("SnapshotName");
  const std::string disk = text("DiskId");
  return page_of(
      all_.snapshots(), "Snapshots", "Snapshot",
      [&](const std::string& id, const json& each) {
        return (!wanted || wanted->contains(id)) && (name.empty() || each["name"] == name) &&
               (disk.empty() || each["disk"] == disk);
      },
      [this](const std::string& id, const json& each) { return snapshot_view(id, each); });
}

json* AlibabaTurn::tagged_thing() {
  const std::string id = text("ResourceId.1");
  return text("ResourceType") == "disk" ? all_.disk(id) : all_.snapshot(id);
}

SimAnswer AlibabaTurn::tag_resources() {
  json* const thing = tagged_thing();
  if (thing == nullptr) {
    return tl::unexpected(Failure{kNotFound, "InvalidResourceId.NotFound", "There is no such resource."});
  }
  for (const auto& [key, value] : tags()) (*thing)["tags"][key] = value;
  return json::object();
}

SimAnswer AlibabaTurn::untag_resources() {
  json* const thing = tagged_thing();
  if (thing == nullptr) {
    return tl::unexpected(Failure{kNotFound, "InvalidResourceId.NotFound", "There is no such resource."});
  }
  constexpr int kMostTags = 20;
  for (int n = 1; n <= kMostTags; ++n) (*thing)["tags"].erase(text("TagKey." + std::to_string(n)));
  return json::object();
}

SimAnswer AlibabaTurn::create_snapshot() {
  const Outcome<std::string> id = all_.create_snapshot(std::string(kSnapshotPrefix), text("DiskId"),
                                                       text("SnapshotName"), number("RetentionDays", 0));
  if (!id) return no(id.error());
  (*all_.snapshot(*id))["tags"] = tags();
  return json{{"SnapshotId", *id}};
}

SimAnswer AlibabaTurn::describe_instances() {
  json some = json::array();
  for (const std::string& id : ids("InstanceIds").value_or(std::set<std::string>{})) {
    const json* const node = all_.node(id);
    if (node == nullptr) continue;
    const std::string type = std::string(kNodeType) + std::to_string((*node)["most"].get<std::int64_t>());
    some.push_back({{"InstanceId", id},
                    {"ZoneId", (*node)["zone"]},
                    {"RegionId", shop_.region},
                    {"InstanceType", type},
                    {"Status", "Running"}});
  }
  return json{{"Instances", {{"Instance", some}}}, {"TotalCount", some.size()}};
}

// An instance's type tells how many disks it may have, with the one that it boots from.
SimAnswer AlibabaTurn::describe_instance_types() {
  const std::string type = text("InstanceTypes.1");
  json some = json::array();
  if (type.starts_with(kNodeType)) {
    std::int64_t most = 0;
    std::from_chars(type.data() + kNodeType.size(), type.data() + type.size(), most);
    some.push_back({{"InstanceTypeId", type}, {"DiskQuantity", most + 1}});
  }
  return json{{"InstanceTypes", {{"InstanceType", some}}}};
}

SimAnswer AlibabaTurn::describe_available_resource() {
  const std::string wanted = text("ZoneId");
  json zones = json::array();
  for (const std::string& zone : shop_.zones) {
    if (!wanted.empty() && zone != wanted) continue;
    json types = json::array();
    for (const std::string& type : disk_type_names(false)) {
      const bool there = all_.in_stock(zone, type);
      types.push_back({{"Value", type},
                       {"Status", there ? "Available" : "SoldOut"},
                       {"StatusCategory", there ? "WithStock" : "WithoutStock"}});
    }
    const json resource = {{"Type", "DataDisk"}, {"SupportedResources", {{"SupportedResource", types}}}};
    zones.push_back({{"ZoneId", zone},
                     {"RegionId", shop_.region},
                     {"Status", "Available"},
                     {"AvailableResources", {{"AvailableResource", json::array({resource})}}}});
  }
  return json{{"AvailableZones", {{"AvailableZone", zones}}}};
}

SimAnswer serve_alibaba(const SimCall& call, DiskCatalogue& all, const DiskShop& shop) {
  using Verb = SimAnswer (AlibabaTurn::*)();
  constexpr std::array kVerbs{
      std::pair<std::string_view, Verb>{"CreateDisk", &AlibabaTurn::create_disk},
      std::pair<std::string_view, Verb>{"DeleteDisk", &AlibabaTurn::delete_disk},
      std::pair<std::string_view, Verb>{"DescribeDisks", &AlibabaTurn::describe_disks},
      std::pair<std::string_view, Verb>{"AttachDisk", &AlibabaTurn::attach_disk},
      std::pair<std::string_view, Verb>{"DetachDisk", &AlibabaTurn::detach_disk},
      std::pair<std::string_view, Verb>{"ResizeDisk", &AlibabaTurn::resize_disk},
      std::pair<std::string_view, Verb>{"ModifyDiskSpec", &AlibabaTurn::modify_disk_spec},
      std::pair<std::string_view, Verb>{"ModifyDiskAttribute", &AlibabaTurn::modify_disk_attribute},
      std::pair<std::string_view, Verb>{"TagResources", &AlibabaTurn::tag_resources},
      std::pair<std::string_view, Verb>{"UntagResources", &AlibabaTurn::untag_resources},
      std::pair<std::string_view, Verb>{"CreateSnapshot", &AlibabaTurn::create_snapshot},
      std::pair<std::string_view, Verb>{"DeleteSnapshot", &AlibabaTurn::delete_snapshot},
      std::pair<std::string_view, Verb>{"DescribeSnapshots", &AlibabaTurn::describe_snapshots},
      std::pair<std::string_view, Verb>{"DescribeInstances", &AlibabaTurn::describe_instances},
      std::pair<std::string_view, Verb>{"DescribeInstanceTypes", &AlibabaTurn::describe_instance_types},
      std::pair<std::string_view, Verb>{"DescribeAvailableResource",
                                        &AlibabaTurn::describe_available_resource},
  };
  const auto* const found =
      std::ranges::find(kVerbs, call.action, [](const auto& each) { return each.first; });
  if (found == kVerbs.end()) {
    return tl::unexpected(Failure{kNotFound, "InvalidAction", "The specified action is not known."});
  }
  AlibabaTurn turn(call, all, shop);
  return (turn.*found->second)();
}

}  // namespace holdfast::disk
