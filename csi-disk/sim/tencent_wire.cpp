#include "csi-disk/sim/tencent_wire.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/clock.h"
#include "csi-disk/sim/trouble_codes.h"

namespace holdfast::disk {
namespace {

using cloud::sim::Failure;
using cloud::sim::SimAnswer;
using cloud::sim::SimCall;
using nlohmann::json;

constexpr int kBadRequest = 400;
constexpr std::int64_t kStep = 10;  // of sizes, in GiB
constexpr std::int64_t kUsualPage = 20;
constexpr std::int64_t kMostPerPage = 100;

tl::unexpected<Failure> no(Trouble trouble) { return tl::unexpected(tencent_failure(trouble)); }

SimAnswer done(const Outcome<void>& outcome) {
  if (!outcome) return no(outcome.error());
  return json::object();
}

// "2026-11-22 08:00:00".
std::string plain_time(std::int64_t seconds) {
  std::string text = utc_text(std::chrono::sys_seconds(std::chrono::seconds(seconds)));
  text[text.find('T')] = ' ';
  text.pop_back();
  return text;
}

json tags_of(const json& thing) {
  json out = json::array();
  for (const auto& [key, value] : thing["tags"].items()) out.push_back({{"Key", key}, {"Value", value}});
  return out;
}

std::string text_in(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || !found->is_string() ? "" : found->get<std::string>();
}
std::int64_t number_in(const json& object, const char* key, std::int64_t otherwise) {
  const auto found = object.find(key);
  return found == object.end() || !found->is_number_integer() ? otherwise : found->get<std::int64_t>();
}
std::vector<std::string> texts_in(const json& object, const char* key) {
  std::vector<std::string> out;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return out;
  for (const json& each : *found) {
    if (each.is_string()) out.push_back(each.get<std::string>());
  }
  return out;
}

void put_tags(const json& parameters, json& thing) {
  const auto found = parameters.find("Tags");
  if (found == parameters.end() || !found->is_array()) return;
  for (const json& each : *found) thing["tags"][text_in(each, "Key")] = text_in(each, "Value");
}

}  // namespace

// One call. Its parameters are JSON.
class TencentTurn {
 public:
  TencentTurn(const SimCall& call, DiskCatalogue& all, const DiskShop& shop)
      : call_(call), all_(all), shop_(shop) {}

  SimAnswer create_disks();
  SimAnswer terminate_disks();
  SimAnswer describe_disks();
  SimAnswer attach_disks();
  SimAnswer detach_disks();
  SimAnswer resize_disk();
  SimAnswer modify_disk_attributes();
  SimAnswer create_snapshot();
  SimAnswer delete_snapshots();
  SimAnswer describe_snapshots();
  SimAnswer describe_instances();
  SimAnswer describe_instances_disk_num();
  SimAnswer describe_disk_config_quota();
  SimAnswer tag_resources();
  SimAnswer untag_resources();

 private:
  [[nodiscard]] std::string text(const char* key) const { return text_in(call_.parameters, key); }
  [[nodiscard]] std::int64_t number(const char* key, std::int64_t otherwise) const {
    return number_in(call_.parameters, key, otherwise);
  }
  // Of actions that are for one disk here, but take a list.
  [[nodiscard]] std::string first(const char* key) const {
    const std::vector<std::string> all = texts_in(call_.parameters, key);
    return all.empty() ? "" : all.front();
  }
  [[nodiscard]] std::string filter(std::string_view name) const;
  [[nodiscard]] json* tagged_thing();
  [[nodiscard]] json disk_view(const std::string& id, const json& disk) const;
  [[nodiscard]] std::string state_of(const json& disk) const;
  template <class View, class Fits>
  SimAnswer page_of(const json& things, const char* ids, const char* set, const Fits& fits,
                    const View& view) const;

  const SimCall& call_;
  DiskCatalogue& all_;
  const DiskShop& shop_;
};

// The value of the filter of that name; empty: there is none.
std::string TencentTurn::filter(std::string_view name) const {
  const auto filters = call_.parameters.find("Filters");
  if (filters == call_.parameters.end() || !filters->is_array()) return "";
  for (const json& each : *filters) {
    const std::vector<std::string> values = texts_in(each, "Values");
    if (text_in(each, "Name") == name && !values.empty()) return values.front();
  }
  return "";
}

SimAnswer TencentTurn::create_disks() {
  const json placement = call_.parameters.value("Placement", json::object());
  Wanted wanted{.prefix = "disk-", .name = text("DiskName"), .gib = number("DiskSize", 0)};
  wanted.type = text("DiskType");
  wanted.bursting = call_.parameters.value("BurstPerformance", false);
  wanted.zone = text_in(placement, "Zone");
  wanted.snapshot = text("SnapshotId");
  wanted.encrypted = text("Encrypt") == "ENCRYPT";
  wanted.key = text("KmsKeyId");
  wanted.multi_attach = call_.parameters.value("Shareable", false);
  if (wanted.gib % kStep != 0) return no(Trouble::kNoSize);
  const Outcome<std::string> id = all_.create_disk(wanted);
  if (!id) return no(id.error());
  put_tags(call_.parameters, *all_.disk(*id));
  return json{{"DiskIdSet", json::array({*id})}};
}

SimAnswer TencentTurn::terminate_disks() { return done(all_.delete_disk(first("DiskIds"))); }

std::string TencentTurn::state_of(const json& disk) const {
  if (!all_.settled(disk)) return "CREATING";
  if (all_.in_arrears()) return "TORECYCLE";
  const std::vector<Attachment> attachments = all_.attachments(disk);
  if (!all_.settled(disk, "grown")) return "EXPANDING";
  if (attachments.empty()) return "UNATTACHED";
  constexpr std::array<const char*, 3> kNames{"ATTACHING", "ATTACHED", "DETACHING"};
  return kNames.at(static_cast<std::size_t>(attachments.back().phase));
}

json TencentTurn::disk_view(const std::string& id, const json& disk) const {
  json nodes = json::array();
  for (const Attachment& each : all_.attachments(disk)) nodes.push_back(each.node);
  return {{"DiskId", id},
          {"DiskName", disk["name"]},
          {"DiskSize", disk["gib"]},
          {"DiskType", disk["type"]},
          {"DiskState", state_of(disk)},
          {"DiskUsage", "DATA_DISK"},
          {"Placement", {{"Zone", disk["zone"]}}},
          {"Attached", !nodes.empty()},
          {"InstanceId", nodes.empty() ? json("") : nodes[0]},
          {"InstanceIdList", nodes},
          {"Shareable", disk["multi"]},
          {"Encrypt", disk["encrypted"]},
          {"BurstPerformance", disk["bursting"]},
          {"SnapshotId", disk["snapshot"]},
          {"IsReturnable", false},
          {"Tags", tags_of(disk)}};
}

// In the order of the ids, by offset.
template <class View, class Fits>
SimAnswer TencentTurn::page_of(const json& things, const char* ids, const char* set, const Fits& fits,
                               const View& view) const {
  const std::vector<std::string> wanted = texts_in(call_.parameters, ids);
  const std::int64_t offset = number("Offset", 0);
  const std::int64_t limit = number("Limit", kUsualPage);
  if (offset < 0 || limit < 1 || limit > kMostPerPage) {
    return tl::unexpected(Failure{kBadRequest, "InvalidParameterValue", "Offset or Limit is not valid."});
  }
  json some = json::array();
  std::int64_t total = 0;
  for (const auto& [id, thing] : things.items()) {
    const bool asked_for = wanted.empty() || std::ranges::find(wanted, id) != wanted.end();
    if (!asked_for || !fits(thing)) continue;
    if (total >= offset && total < offset + limit) some.push_back(view(id, thing));
    ++total;
  }
  return json{{set, some}, {"TotalCount", total}};
}

SimAnswer TencentTurn::describe_disks() {
  const std::string name = filter("disk-name");
  return page_of(
      all_.disks(), "DiskIds", "DiskSet",
      [&](const json& disk) { return name.empty() || disk["name"] == name; },
      [this](const std::string& id, const json& disk) { return disk_view(id, disk); });
}

SimAnswer TencentTurn::attach_disks() { return done(all_.attach(first("DiskIds"), text("InstanceId"))); }

// From the one instance that a disk is attached to; of shared disks the instance has to be named.
SimAnswer TencentTurn::detach_disks() {
  const std::string id = first("DiskIds");
  const json* const disk = all_.disk(id);
  if (disk == nullptr) return no(Trouble::kNoDisk);
  const std::vector<Attachment> attachments = all_.attachments(*disk);
  if (attachments.empty()) return no(Trouble::kNotHere);
  const bool shared = (*disk)["multi"].get<bool>();
  return done(all_.detach(id, shared ? text("InstanceId") : attachments.front().node));
}

SimAnswer TencentTurn::resize_disk() {
  const std::int64_t gib = number("DiskSize", 0);
  if (gib % kStep != 0) return no(Trouble::kNoSize);
  return done(all_.grow(text("DiskId"), gib));
}

SimAnswer TencentTurn::modify_disk_attributes() {
  const std::string id = first("DiskIds");
  const std::string burst = text("BurstPerformanceOperation");
  if (!burst.empty()) return done(all_.set_bursting(id, burst == "CREATE"));
  return done(all_.respec(id, text("DiskType"), "", 0));
}

SimAnswer TencentTurn::create_snapshot() {
  const Outcome<std::string> id = all_.create_snapshot("snap-", text("DiskId"), text("SnapshotName"), 0);
  if (!id) return no(id.error());
  put_tags(call_.parameters, *all_.snapshot(*id));
  return json{{"SnapshotId", *id}};
}

SimAnswer TencentTurn::delete_snapshots() { return done(all_.delete_snapshot(first("SnapshotIds"))); }

SimAnswer TencentTurn::describe_snapshots() {
  const std::string name = filter("snapshot-name");
  const std::string disk = filter("disk-id");
  return page_of(
      all_.snapshots(), "SnapshotIds", "SnapshotSet",
      [&](const json& each) {
        return (name.empty() || each["name"] == name) && (disk.empty() || each["disk"] == disk);
      },
      [this](const std::string& id, const json& each) {
        const bool ready = all_.settled(each);
        return json{{"SnapshotId", id},
                    {"SnapshotName", each["name"]},
                    {"DiskId", each["disk"]},
                    {"DiskSize", each["gib"]},
                    {"SnapshotState", ready ? "NORMAL" : "CREATING"},
                    {"Percent", all_.progress(each)},
                    {"CreateTime", plain_time(each["cut"].get<std::int64_t>())},
                    {"Tags", tags_of(each)}};
      });
}

SimAnswer TencentTurn::describe_instances() {
  json some = json::array();
  for (const std::string& id : texts_in(call_.parameters, "InstanceIds")) {
    const json* const node = all_.node(id);
    if (node == nullptr) continue;
    some.push_back({{"InstanceId", id}, {"Placement", {{"Zone", (*node)["zone"]}}}});
  }
  return json{{"InstanceSet", some}, {"TotalCount", some.size()}};
}

SimAnswer TencentTurn::describe_instances_disk_num() {
  json some = json::array();
  for (const std::string& id : texts_in(call_.parameters, "InstanceIds")) {
    const json* const node = all_.node(id);
    if (node == nullptr) continue;
    some.push_back(
        {{"InstanceId", id}, {"AttachedDiskCount", all_.disks_of(id)}, {"MaxAttachCount", (*node)["most"]}});
  }
  return json{{"AttachDetail", some}};
}

SimAnswer TencentTurn::describe_disk_config_quota() {
  const std::vector<std::string> zones = texts_in(call_.parameters, "Zones");
  const std::vector<std::string> types = texts_in(call_.parameters, "DiskTypes");
  const auto wanted = [](const std::vector<std::string>& some, const std::string& one) {
    return some.empty() || std::ranges::find(some, one) != some.end();
  };
  json set = json::array();
  for (const std::string& zone : shop_.zones) {
    for (const std::string& type : disk_type_names(true)) {
      if (!wanted(zones, zone) || !wanted(types, type)) continue;
      const DiskType& sold = *disk_type(type, "");
      set.push_back({{"Zone", zone},
                     {"DiskType", type},
                     {"DiskChargeType", "POSTPAID_BY_HOUR"},
                     {"DiskUsage", "DATA_DISK"},
                     {"MinDiskSize", sold.least_gib},
                     {"MaxDiskSize", sold.most_gib},
                     {"Available", all_.in_stock(zone, type)}});
    }
  }
  return json{{"DiskConfigSet", set}};
}

// "qcs::cvm:REGION::volume/disk-1", "qcs::cvm:REGION::snapshot/snap-1".
json* TencentTurn::tagged_thing() {
  const std::string resource = first("ResourceList");
  const std::string id = resource.substr(resource.find('/') + 1);
  return resource.find(":volume/") != std::string::npos ? all_.disk(id) : all_.snapshot(id);
}

SimAnswer TencentTurn::tag_resources() {
  json* const thing = tagged_thing();
  if (thing == nullptr) return tl::unexpected(Failure{kBadRequest, "ResourceNotFound", "No such resource."});
  const auto found = call_.parameters.find("Tags");
  if (found == call_.parameters.end() || !found->is_array()) return no(Trouble::kBadParameter);
  for (const json& each : *found) (*thing)["tags"][text_in(each, "TagKey")] = text_in(each, "TagValue");
  return json{{"FailedResources", json::array()}};
}

SimAnswer TencentTurn::untag_resources() {
  json* const thing = tagged_thing();
  if (thing == nullptr) return tl::unexpected(Failure{kBadRequest, "ResourceNotFound", "No such resource."});
  for (const std::string& key : texts_in(call_.parameters, "TagKeys")) (*thing)["tags"].erase(key);
  return json{{"FailedResources", json::array()}};
}

SimAnswer serve_tencent(const SimCall& call, DiskCatalogue& all, const DiskShop& shop) {
  using Verb = SimAnswer (TencentTurn::*)();
  constexpr std::array kVerbs{
      std::pair<std::string_view, Verb>{"CreateDisks", &TencentTurn::create_disks},
      std::pair<std::string_view, Verb>{"TerminateDisks", &TencentTurn::terminate_disks},
      std::pair<std::string_view, Verb>{"DescribeDisks", &TencentTurn::describe_disks},
      std::pair<std::string_view, Verb>{"AttachDisks", &TencentTurn::attach_disks},
      std::pair<std::string_view, Verb>{"DetachDisks", &TencentTurn::detach_disks},
      std::pair<std::string_view, Verb>{"ResizeDisk", &TencentTurn::resize_disk},
      std::pair<std::string_view, Verb>{"ModifyDiskAttributes", &TencentTurn::modify_disk_attributes},
      std::pair<std::string_view, Verb>{"CreateSnapshot", &TencentTurn::create_snapshot},
      std::pair<std::string_view, Verb>{"DeleteSnapshots", &TencentTurn::delete_snapshots},
      std::pair<std::string_view, Verb>{"DescribeSnapshots", &TencentTurn::describe_snapshots},
      std::pair<std::string_view, Verb>{"DescribeInstances", &TencentTurn::describe_instances},
      std::pair<std::string_view, Verb>{"DescribeInstancesDiskNum",
                                        &TencentTurn::describe_instances_disk_num},
      std::pair<std::string_view, Verb>{"DescribeDiskConfigQuota", &TencentTurn::describe_disk_config_quota},
      std::pair<std::string_view, Verb>{"TagResources", &TencentTurn::tag_resources},
      std::pair<std::string_view, Verb>{"UnTagResources", &TencentTurn::untag_resources},
  };
  const auto* const found =
      std::ranges::find(kVerbs, call.action, [](const auto& each) { return each.first; });
  if (found == kVerbs.end()) {
    return tl::unexpected(Failure{kBadRequest, "InvalidAction", "The specified action is not known."});
  }
  TencentTurn turn(call, all, shop);
  return (turn.*found->second)();
}

}  // namespace holdfast::disk
