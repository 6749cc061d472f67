#include "csi-disk/backend/tencent_disks.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

#include "common/base/json.h"
#include "csi-disk/backend/checked_answer.h"
#include "csi-disk/backend/tencent_answers.h"

namespace holdfast::disk {
namespace {

using cloud::Answer;
using cloud::CallEnd;
using cloud::Done;
using nlohmann::json;
using Deadline = DiskBackend::Deadline;

constexpr std::uint32_t kPage = 100;  // ids that a call may name, and items that it answers
constexpr std::uint64_t kStep = 10;   // of sizes, in GiB
constexpr const char* kNoDisk = "InvalidDiskId.NotFound";
constexpr std::string_view kDiskPrefix = "disk-";
constexpr std::string_view kSnapshotPrefix = "snap-";

Answer<json> ask(cloud::TencentApi& api, const char* action, const json& body, Deadline deadline) {
  return api.call({.action = action, .body = dump_json(body), .deadline = deadline});
}
Done tell(cloud::TencentApi& api, const char* action, const json& body, Deadline deadline) {
  HOLDFAST_TRY(const json answer, ask(api, action, body, deadline));
  return {};
}

tl::unexpected<cloud::CallError> invalid(std::string why) {
  return cloud::ends(CallEnd::kRefused, std::move(why), "InvalidParameterValue");
}

// One id of another form makes CBS refuse all that are asked for with it.
json ids_of(const std::vector<std::string>& ids, std::string_view prefix) {
  json out = json::array();
  for (const std::string& id : ids) {
    const bool known = id.starts_with(prefix) && std::ranges::all_of(id.substr(prefix.size()), [](char each) {
                         return (each >= '0' && each <= '9') || (each >= 'a' && each <= 'z');
                       });
    if (known) out.push_back(id);
  }
  return out;
}

json filter(const char* name, const std::string& value) {
  return {{"Name", name}, {"Values", json::array({value})}};
}

// The body of a list from a Page's `next` on.
Answer<json> page_from(const std::string& from, std::uint32_t most) {
  std::uint64_t offset = 0;
  const auto [end, error] = std::from_chars(from.data(), from.data() + from.size(), offset);
  if (!from.empty() && (error != std::errc{} || end != from.data() + from.size())) {
    return invalid("'" + from + "' is not where a page begins");
  }
  return json{{"Offset", offset}, {"Limit", std::clamp(most, 1U, kPage)}};
}

json tags_of(const Tags& tags, const char* key_name, const char* value_name) {
  json out = json::array();
  for (const auto& [key, value] : tags) out.push_back({{key_name, key}, {value_name, value}});
  return out;
}

bool has(const Disk& disk, const std::string& node) {
  return std::ranges::find(disk.nodes, node) != disk.nodes.end();
}

bool in_use(const Done& done) {
  return !done && done.error().end == CallEnd::kRefused &&
         cloud::refusal_of(done.error().code) == cloud::Refusal::kInUse;
}

Answer<std::monostate> check_performance(const Performance& wanted) {
  if (wanted.iops) return invalid("disks of Tencent Cloud have no IOPS of their own");
  if (!wanted.level.empty()) return invalid("disks of Tencent Cloud have no performance levels");
  return std::monostate{};
}

}  // namespace

std::string TencentDisks::url_of(const std::string& product) {
  return "https://" + product + ".tencentcloudapi.com";
}

Abilities TencentDisks::abilities() const {
  return {.snapshots = true,
          .grow = true,
          .modify = true,
          .tags = true,
          .multi_attach = true,
          .describe_most = kPage};
}

Answer<std::string> TencentDisks::zone_with(const std::string& type, Deadline deadline) {
  HOLDFAST_TRY(const json answer, ask(apis_.cbs, "DescribeDiskConfigQuota",
                                      {{"InquiryType", "INQUIRY_CBS_CONFIG"},
                                       {"DiskChargeType", "POSTPAID_BY_HOUR"},
                                       {"DiskUsage", "DATA_DISK"},
                                       {"DiskTypes", json::array({type})}},
                                      deadline));
  HOLDFAST_TRY(const std::vector<CbsStock> stock, read_cbs_stock(answer));
  if (!stock.empty()) return stock.front().zone;
  return cloud::ends(CallEnd::kRefused, "no zone has disks of type " + type, "ResourceInsufficient");
}

Answer<std::string> TencentDisks::create_disk(const DiskSpec& spec, const std::string& token,
                                              Deadline deadline) {
  HOLDFAST_CHECK(check_performance(spec.performance));
  if (spec.gib % kStep != 0) return invalid(std::to_string(spec.gib) + " GiB is no multiple of 10");
  const std::string type = spec.performance.type.empty() ? "CLOUD_PREMIUM" : spec.performance.type;
  std::string zone = spec.zone;
  if (zone.empty()) {
    HOLDFAST_TRY(zone, zone_with(type, deadline));
  }
  json body = {{"Placement", {{"Zone", zone}}},
               {"DiskChargeType", "POSTPAID_BY_HOUR"},
               {"DiskType", type},
               {"DiskSize", spec.gib},
               {"DiskCount", 1},
               {"DiskName", spec.name},
               {"Shareable", spec.multi_attach}};
  if (!token.empty()) body["ClientToken"] = token;
  if (!spec.snapshot.empty()) body["SnapshotId"] = spec.snapshot;
  if (spec.encrypted) body["Encrypt"] = "ENCRYPT";
  if (!spec.key.empty()) body["KmsKeyId"] = spec.key;
  if (spec.performance.bursting) body["BurstPerformance"] = *spec.performance.bursting;
  if (!spec.storage_cluster.empty()) body["Placement"]["CdcId"] = spec.storage_cluster;
  if (!spec.tags.empty()) body["Tags"] = tags_of(spec.tags, "Key", "Value");
  HOLDFAST_TRY(const json answer, ask(apis_.cbs, "CreateDisks", body, deadline));
  return read_cbs_disk_id(answer);
}

Done TencentDisks::delete_disk(const std::string& id, Deadline deadline) {
  const json ids = ids_of({id}, kDiskPrefix);
  if (ids.empty()) return {};
  return gone(tell(apis_.cbs, "TerminateDisks", {{"DiskIds", ids}}, deadline));
}

Answer<Page<Disk>> TencentDisks::some_disks(const json& filter, Deadline deadline) {
  HOLDFAST_TRY(const json answer, described(ask(apis_.cbs, "DescribeDisks", filter, deadline)));
  return read_cbs_disks(answer, filter.value("Offset", std::uint64_t{0}));
}

Answer<std::vector<Disk>> TencentDisks::all_disks(const json& filter, Deadline deadline) {
  return all_pages<Disk>([&](const std::string& from) -> Answer<Page<Disk>> {
    HOLDFAST_TRY(json body, page_from(from, kPage));
    body.update(filter);
    return some_disks(body, deadline);
  });
}

Answer<std::vector<Disk>> TencentDisks::disks(const std::vector<std::string>& ids, Deadline deadline) {
  const json known = ids_of(ids, kDiskPrefix);
  if (known.empty()) return std::vector<Disk>{};
  return all_disks({{"DiskIds", known}}, deadline);
}

Answer<std::vector<Disk>> TencentDisks::disks_named(const std::string& name, Deadline deadline) {
  HOLDFAST_TRY(std::vector<Disk> out,
               all_disks({{"Filters", json::array({filter("disk-name", name)})}}, deadline));
  std::erase_if(out, [&name](const Disk& each) { return each.name != name; });
  return out;
}

Answer<Page<Disk>> TencentDisks::list_disks(const std::string& from, std::uint32_t most, Deadline deadline) {
  HOLDFAST_TRY(json body, page_from(from, most));
  return some_disks(body, deadline);
}

Answer<Disk> TencentDisks::one_disk(const std::string& id, Deadline deadline) {
  HOLDFAST_TRY(std::vector<Disk> found, disks({id}, deadline));
  if (!found.empty()) return std::move(found.front());
  return cloud::ends(CallEnd::kNoSuchThing, "there is no disk " + id, kNoDisk);
}

Done TencentDisks::attach_disk(const std::string& disk, const std::string& node, Deadline deadline) {
  HOLDFAST_TRY(const Disk before, one_disk(disk, deadline));
  const json body = {{"DiskIds", json::array({disk})}, {"InstanceId", node}};
  Done done = tell(apis_.cbs, "AttachDisks", body, deadline);
  if (!in_use(done)) return done;
  HOLDFAST_TRY(const Disk now, one_disk(disk, deadline));
  if (has(now, node) && (now.state == DiskState::kAttaching || now.state == DiskState::kInUse)) return {};
  return done;
}

Done TencentDisks::detach_disk(const std::string& disk, const std::string& node, Deadline deadline) {
  HOLDFAST_TRY(const std::vector<Disk> found, disks({disk}, deadline));
  if (found.empty() || !has(found.front(), node)) return {};
  if (found.front().state == DiskState::kDetaching && !found.front().multi_attach) return {};
  Done done = gone(
      tell(apis_.cbs, "DetachDisks", {{"DiskIds", json::array({disk})}, {"InstanceId", node}}, deadline));
  if (done) return done;
  HOLDFAST_TRY(const std::vector<Disk> now, disks({disk}, deadline));
  const bool here = !now.empty() && has(now.front(), node) && now.front().state != DiskState::kDetaching;
  return here ? done : Done{};
}

Done TencentDisks::grow_disk(const std::string& disk, std::uint64_t gib, const std::string& /*token*/,
                             Deadline deadline) {
  HOLDFAST_TRY(const Disk now, one_disk(disk, deadline));
  if (now.gib >= gib) return {};
  if (gib % kStep != 0) return invalid(std::to_string(gib) + " GiB is no multiple of 10");
  return tell(apis_.cbs, "ResizeDisk", {{"DiskId", disk}, {"DiskSize", gib}}, deadline);
}

Done TencentDisks::modify_disk(const std::string& disk, const Performance& performance,
                               const std::string& /*token*/, Deadline deadline) {
  HOLDFAST_CHECK(check_performance(performance));
  HOLDFAST_TRY(const Disk now, one_disk(disk, deadline));
  const json which = {{"DiskIds", json::array({disk})}};
  if (!performance.type.empty() && performance.type != now.performance.type) {
    json body = which;
    body["DiskType"] = performance.type;
    HOLDFAST_CHECK(tell(apis_.cbs, "ModifyDiskAttributes", body, deadline));
  }
  if (!performance.bursting || *performance.bursting == now.performance.bursting.value_or(false)) return {};
  json body = which;
  body["BurstPerformanceOperation"] = *performance.bursting ? "CREATE" : "CANCEL";
  return tell(apis_.cbs, "ModifyDiskAttributes", body, deadline);
}

Done TencentDisks::tag_disk(const std::string& disk, const Tags& set, const std::vector<std::string>& unset,
                            Deadline deadline) {
  HOLDFAST_TRY(const Disk now, one_disk(disk, deadline));
  const json which = {{"ResourceList", json::array({"qcs::cvm:" + region_ + "::volume/" + now.id})}};
  if (!set.empty()) {
    json body = which;
    body["Tags"] = tags_of(set, "TagKey", "TagValue");
    HOLDFAST_CHECK(tell(apis_.tag, "TagResources", body, deadline));
  }
  if (unset.empty()) return {};
  json body = which;
  body["TagKeys"] = unset;
  return tell(apis_.tag, "UnTagResources", body, deadline);
}

Answer<std::string> TencentDisks::create_snapshot(const SnapshotSpec& spec, const std::string& /*token*/,
                                                  Deadline deadline) {
  HOLDFAST_TRY(const std::vector<Snapshot> named, snapshots_named(spec.name, deadline));
  const auto before = std::ranges::find(named, spec.disk, &Snapshot::disk);
  if (before != named.end()) return before->id;
  json body = {{"DiskId", spec.disk}, {"SnapshotName", spec.name}};
  if (!spec.tags.empty()) body["Tags"] = tags_of(spec.tags, "Key", "Value");
  if (spec.keep_days) {
    std::string end = utc_text(clock_.now() + std::chrono::days(*spec.keep_days));
    end.pop_back();
    body["Deadline"] = end + "+00:00";
  }
  HOLDFAST_TRY(const json answer, ask(apis_.cbs, "CreateSnapshot", body, deadline));
  return read_cbs_snapshot_id(answer);
}

Done TencentDisks::delete_snapshot(const std::string& id, Deadline deadline) {
  const json ids = ids_of({id}, kSnapshotPrefix);
  if (ids.empty()) return {};
  return gone(tell(apis_.cbs, "DeleteSnapshots", {{"SnapshotIds", ids}}, deadline));
}

Answer<Page<Snapshot>> TencentDisks::some_snapshots(const json& filter, Deadline deadline) {
  HOLDFAST_TRY(const json answer, described(ask(apis_.cbs, "DescribeSnapshots", filter, deadline)));
  return read_cbs_snapshots(answer, filter.value("Offset", std::uint64_t{0}));
}

Answer<std::vector<Snapshot>> TencentDisks::all_snapshots(const json& filter, Deadline deadline) {
  return all_pages<Snapshot>([&](const std::string& from) -> Answer<Page<Snapshot>> {
    HOLDFAST_TRY(json body, page_from(from, kPage));
    body.update(filter);
    return some_snapshots(body, deadline);
  });
}

Answer<std::vector<Snapshot>> TencentDisks::snapshots(const std::vector<std::string>& ids,
                                                      Deadline deadline) {
  const json known = ids_of(ids, kSnapshotPrefix);
  if (known.empty()) return std::vector<Snapshot>{};
  return all_snapshots({{"SnapshotIds", known}}, deadline);
}

Answer<std::vector<Snapshot>> TencentDisks::snapshots_named(const std::string& name, Deadline deadline) {
  HOLDFAST_TRY(std::vector<Snapshot> out,
               all_snapshots({{"Filters", json::array({filter("snapshot-name", name)})}}, deadline));
  std::erase_if(out, [&name](const Snapshot& each) { return each.name != name; });
  return out;
}

Answer<Page<Snapshot>> TencentDisks::list_snapshots(const std::string& disk, const std::string& from,
                                                    std::uint32_t most, Deadline deadline) {
  HOLDFAST_TRY(json body, page_from(from, most));
  if (!disk.empty()) body["Filters"] = json::array({filter("disk-id", disk)});
  return some_snapshots(body, deadline);
}

Answer<std::optional<NodeFacts>> TencentDisks::node(const std::string& id, Deadline deadline) {
  const json body = {{"InstanceIds", json::array({id})}};
  const Answer<json> answer = ask(apis_.cvm, "DescribeInstances", body, deadline);
  if (!answer && answer.error().end == CallEnd::kNoSuchThing) return std::optional<NodeFacts>{};
  if (!answer) return tl::unexpected(answer.error());
  HOLDFAST_TRY(const std::optional<std::string> zone, read_cvm_zone(*answer));
  if (!zone) return std::optional<NodeFacts>{};
  NodeFacts facts{.id = id, .zone = *zone, .region = region_};
  HOLDFAST_TRY(const json counts, ask(apis_.cbs, "DescribeInstancesDiskNum", body, deadline));
  HOLDFAST_TRY(facts.attach_limit, read_cbs_attach_limit(counts));
  return std::optional(std::move(facts));
}

Answer<std::vector<std::string>> TencentDisks::types_in_stock(const std::string& zone, Deadline deadline) {
  json body = {{"InquiryType", "INQUIRY_CBS_CONFIG"},
               {"DiskChargeType", "POSTPAID_BY_HOUR"},
               {"DiskUsage", "DATA_DISK"}};
  if (!zone.empty()) body["Zones"] = json::array({zone});
  HOLDFAST_TRY(const json answer, ask(apis_.cbs, "DescribeDiskConfigQuota", body, deadline));
  HOLDFAST_TRY(const std::vector<CbsStock> stock, read_cbs_stock(answer));
  std::vector<std::string> out;
  for (const CbsStock& each : stock) {
    if (std::ranges::find(out, each.type) == out.end()) out.push_back(each.type);
  }
  return out;
}

}  // namespace holdfast::disk
