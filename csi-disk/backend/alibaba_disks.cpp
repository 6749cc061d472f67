#include "csi-disk/backend/alibaba_disks.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"
#include "csi-disk/backend/alibaba_answers.h"
#include "csi-disk/backend/checked_answer.h"

namespace holdfast::disk {
namespace {

using cloud::Answer;
using cloud::CallEnd;
using cloud::Done;
using cloud::Parameters;
using nlohmann::json;

constexpr std::uint32_t kPage = 100;  // ids that a call may name, and items that it answers
constexpr const char* kNoDisk = "InvalidDiskId.NotFound";

std::string array_of(const std::vector<std::string>& ids) { return dump_json(json(ids)); }

void add_tags(const Tags& tags, Parameters& into) {
  int n = 0;
  for (const auto& [key, value] : tags) {
    const std::string stem = "Tag." + std::to_string(++n);
    into[stem + ".Key"] = key;
    into[stem + ".Value"] = value;
  }
}

void add(Parameters& into, const char* key, const std::string& value) {
  if (!value.empty()) into[key] = value;
}

bool refused_with(const Done& done, std::string_view code) {
  return !done && done.error().end == CallEnd::kRefused && done.error().code.starts_with(code);
}

bool has(const Disk& disk, const std::string& node) {
  return std::ranges::find(disk.nodes, node) != disk.nodes.end();
}

// What of `wanted` is not so. A level goes with its type: the cloud takes them together.
Performance missing_of(const Performance& wanted, const Disk& disk) {
  const Performance& is = disk.performance;
  Performance out;
  const bool other_type = !wanted.type.empty() && wanted.type != is.type;
  const bool other_level = !wanted.level.empty() && wanted.level != is.level;
  if (other_type) out.type = wanted.type;
  if (other_level || (other_type && !wanted.level.empty())) out.level = wanted.level;
  if (wanted.iops && wanted.iops != is.iops) out.iops = wanted.iops;
  if (wanted.bursting && *wanted.bursting != is.bursting.value_or(false)) out.bursting = wanted.bursting;
  return out;
}

}  // namespace

std::string AlibabaDisks::url_of(const std::string& region) {
  return "https://ecs." + region + ".aliyuncs.com";
}

Abilities AlibabaDisks::abilities() const {
  return {.snapshots = true,
          .grow = true,
          .modify = true,
          .tags = true,
          .multi_attach = true,
          .describe_most = kPage};
}

Answer<json> AlibabaDisks::ask(std::string action, Parameters parameters, Deadline deadline,
                               std::string token) {
  parameters["RegionId"] = region_;
  return api_.call({.action = std::move(action),
                    .parameters = std::move(parameters),
                    .token = std::move(token),
                    .deadline = deadline});
}

Done AlibabaDisks::tell(std::string action, Parameters parameters, Deadline deadline, std::string token) {
  HOLDFAST_TRY(const json answer, ask(std::move(action), std::move(parameters), deadline, std::move(token)));
  return {};
}

Answer<std::string> AlibabaDisks::create_disk(const DiskSpec& spec, const std::string& token,
                                              Deadline deadline) {
  Parameters parameters{{"DiskName", spec.name},
                        {"Size", std::to_string(spec.gib)},
                        {"Encrypted", spec.encrypted ? "true" : "false"},
                        {"MultiAttach", spec.multi_attach ? "Enabled" : "Disabled"}};
  add(parameters, "DiskCategory", spec.performance.type);
  add(parameters, "PerformanceLevel", spec.performance.level);
  if (spec.performance.iops) parameters["ProvisionedIops"] = std::to_string(*spec.performance.iops);
  if (spec.performance.bursting) {
    parameters["BurstingEnabled"] = *spec.performance.bursting ? "true" : "false";
  }
  add(parameters, "ZoneId", spec.zone);
  add(parameters, "SnapshotId", spec.snapshot);
  add(parameters, "KMSKeyId", spec.key);
  add(parameters, "ResourceGroupId", spec.resource_group);
  add(parameters, "StorageClusterId", spec.storage_cluster);
  // Of hpn_zone the API knows nothing: the zone itself tells it.
  add(parameters, "Arn.1.Rolearn", spec.role);
  add_tags(spec.tags, parameters);
  HOLDFAST_TRY(const json answer, ask("CreateDisk", std::move(parameters), deadline, token));
  return read_ecs_id(answer, "DiskId");
}

Done AlibabaDisks::delete_disk(const std::string& id, Deadline deadline) {
  return gone(tell("DeleteDisk", {{"DiskId", id}}, deadline));
}

Answer<Page<Disk>> AlibabaDisks::some_disks(Parameters filter, Deadline deadline) {
  HOLDFAST_TRY(const json answer, described(ask("DescribeDisks", std::move(filter), deadline)));
  return read_ecs_disks(answer);
}

Answer<std::vector<Disk>> AlibabaDisks::all_disks(const Parameters& filter, Deadline deadline) {
  return all_pages<Disk>([&](const std::string& from) {
    Parameters page = filter;
    page["MaxResults"] = std::to_string(kPage);
    add(page, "NextToken", from);
    return some_disks(std::move(page), deadline);
  });
}

Answer<std::vector<Disk>> AlibabaDisks::disks(const std::vector<std::string>& ids, Deadline deadline) {
  if (ids.empty()) return std::vector<Disk>{};
  return all_disks({{"DiskIds", array_of(ids)}}, deadline);
}

Answer<std::vector<Disk>> AlibabaDisks::disks_named(const std::string& name, Deadline deadline) {
  HOLDFAST_TRY(std::vector<Disk> out, all_disks({{"DiskName", name}}, deadline));
  std::erase_if(out, [&name](const Disk& each) { return each.name != name; });
  return out;
}

Answer<Page<Disk>> AlibabaDisks::list_disks(const std::string& from, std::uint32_t most, Deadline deadline) {
  Parameters filter{{"MaxResults", std::to_string(std::clamp(most, 1U, kPage))}};
  add(filter, "NextToken", from);
  return some_disks(std::move(filter), deadline);
}

Answer<Disk> AlibabaDisks::one_disk(const std::string& id, Deadline deadline) {
  HOLDFAST_TRY(std::vector<Disk> found, disks({id}, deadline));
  if (!found.empty()) return std::move(found.front());
  return cloud::ends(CallEnd::kNoSuchThing, "there is no disk " + id, kNoDisk);
}

Done AlibabaDisks::attach_disk(const std::string& disk, const std::string& node, Deadline deadline) {
  Done done =
      tell("AttachDisk", {{"DiskId", disk}, {"InstanceId", node}, {"DeleteWithInstance", "false"}}, deadline);
  if (!refused_with(done, "IncorrectDiskStatus") && !refused_with(done, "InvalidOperation.Conflict")) {
    return done;
  }
  HOLDFAST_TRY(const Disk now, one_disk(disk, deadline));
  if (has(now, node) && (now.state == DiskState::kAttaching || now.state == DiskState::kInUse)) return {};
  return done;
}

Done AlibabaDisks::detach_disk(const std::string& disk, const std::string& node, Deadline deadline) {
  Done done = tell("DetachDisk", {{"DiskId", disk}, {"InstanceId", node}}, deadline);
  if (refused_with(done, "InvalidDisk.AlreadyDetached") || refused_with(done, "DependencyViolation") ||
      refused_with(done, "InvalidOperation.DiskDetachingFromThisEcs")) {
    return {};
  }
  if (!refused_with(done, "IncorrectDiskStatus")) return gone(std::move(done));
  HOLDFAST_TRY(const std::vector<Disk> now, disks({disk}, deadline));
  const bool here = !now.empty() && has(now.front(), node) && now.front().state != DiskState::kDetaching;
  return here ? done : Done{};
}

Done AlibabaDisks::grow_disk(const std::string& disk, std::uint64_t gib, const std::string& token,
                             Deadline deadline) {
  Done done = tell("ResizeDisk", {{"DiskId", disk}, {"NewSize", std::to_string(gib)}, {"Type", "online"}},
                   deadline, token);
  if (!refused_with(done, "InvalidDiskSize")) return done;
  HOLDFAST_TRY(const Disk now, one_disk(disk, deadline));
  return now.gib >= gib ? Done{} : done;
}

Done AlibabaDisks::modify_disk(const std::string& disk, const Performance& performance,
                               const std::string& /*token*/, Deadline deadline) {
  HOLDFAST_TRY(const Disk now, one_disk(disk, deadline));
  const Performance missing = missing_of(performance, now);
  if (!missing.type.empty() || !missing.level.empty() || missing.iops) {
    Parameters parameters{{"DiskId", disk}};
    add(parameters, "DiskCategory", missing.type);
    add(parameters, "PerformanceLevel", missing.level);
    if (missing.iops) parameters["ProvisionedIops"] = std::to_string(*missing.iops);
    HOLDFAST_CHECK(tell("ModifyDiskSpec", std::move(parameters), deadline));
  }
  if (!missing.bursting) return {};
  return tell("ModifyDiskAttribute",
              {{"DiskId", disk}, {"BurstingEnabled", *missing.bursting ? "true" : "false"}}, deadline);
}

Done AlibabaDisks::tag_disk(const std::string& disk, const Tags& set, const std::vector<std::string>& unset,
                            Deadline deadline) {
  const Parameters which{{"ResourceType", "disk"}, {"ResourceId.1", disk}};
  if (!set.empty()) {
    Parameters parameters = which;
    add_tags(set, parameters);
    HOLDFAST_CHECK(tell("TagResources", std::move(parameters), deadline));
  }
  if (unset.empty()) return {};
  Parameters parameters = which;
  int n = 0;
  for (const std::string& key : unset) parameters["TagKey." + std::to_string(++n)] = key;
  return tell("UntagResources", std::move(parameters), deadline);
}

Answer<std::string> AlibabaDisks::create_snapshot(const SnapshotSpec& spec, const std::string& token,
                                                  Deadline deadline) {
  Parameters parameters{{"DiskId", spec.disk}, {"SnapshotName", spec.name}};
  if (spec.keep_days) parameters["RetentionDays"] = std::to_string(*spec.keep_days);
  add(parameters, "ResourceGroupId", spec.resource_group);
  add_tags(spec.tags, parameters);
  HOLDFAST_TRY(const json answer, ask("CreateSnapshot", std::move(parameters), deadline, token));
  return read_ecs_id(answer, "SnapshotId");
}

// Force: also when disks were made from it. They keep what they have.
Done AlibabaDisks::delete_snapshot(const std::string& id, Deadline deadline) {
  return gone(tell("DeleteSnapshot", {{"SnapshotId", id}, {"Force", "true"}}, deadline));
}

Answer<Page<Snapshot>> AlibabaDisks::some_snapshots(Parameters filter, Deadline deadline) {
  HOLDFAST_TRY(const json answer, described(ask("DescribeSnapshots", std::move(filter), deadline)));
  return read_ecs_snapshots(answer);
}

Answer<std::vector<Snapshot>> AlibabaDisks::all_snapshots(const Parameters& filter, Deadline deadline) {
  return all_pages<Snapshot>([&](const std::string& from) {
    Parameters page = filter;
    page["MaxResults"] = std::to_string(kPage);
    add(page, "NextToken", from);
    return some_snapshots(std::move(page), deadline);
  });
}

Answer<std::vector<Snapshot>> AlibabaDisks::snapshots(const std::vector<std::string>& ids,
                                                      Deadline deadline) {
  if (ids.empty()) return std::vector<Snapshot>{};
  return all_snapshots({{"SnapshotIds", array_of(ids)}}, deadline);
}

Answer<std::vector<Snapshot>> AlibabaDisks::snapshots_named(const std::string& name, Deadline deadline) {
  HOLDFAST_TRY(std::vector<Snapshot> out, all_snapshots({{"SnapshotName", name}}, deadline));
  std::erase_if(out, [&name](const Snapshot& each) { return each.name != name; });
  return out;
}

Answer<Page<Snapshot>> AlibabaDisks::list_snapshots(const std::string& disk, const std::string& from,
                                                    std::uint32_t most, Deadline deadline) {
  Parameters filter{{"MaxResults", std::to_string(std::clamp(most, 1U, kPage))}};
  add(filter, "DiskId", disk);
  add(filter, "NextToken", from);
  return some_snapshots(std::move(filter), deadline);
}

Answer<std::optional<std::uint32_t>> AlibabaDisks::attach_limit_of(const std::string& type,
                                                                   Deadline deadline) {
  if (type.empty()) return std::optional<std::uint32_t>{};
  HOLDFAST_TRY(const json answer, ask("DescribeInstanceTypes", {{"InstanceTypes.1", type}}, deadline));
  HOLDFAST_TRY(std::optional<std::uint32_t> count, read_ecs_disk_quantity(answer));
  if (count && *count > 0) --*count;  // the one that it boots from
  return count;
}

Answer<std::optional<NodeFacts>> AlibabaDisks::node(const std::string& id, Deadline deadline) {
  HOLDFAST_TRY(const json answer,
               described(ask("DescribeInstances", {{"InstanceIds", array_of({id})}}, deadline)));
  HOLDFAST_TRY(const std::vector<EcsInstance> found, read_ecs_instances(answer));
  if (found.empty()) return std::optional<NodeFacts>{};
  const EcsInstance& it = found.front();
  NodeFacts facts{.id = id, .zone = it.zone, .region = region_};
  HOLDFAST_TRY(facts.attach_limit, attach_limit_of(it.type, deadline));
  Parameters what{{"DestinationResource", "DataDisk"}, {"ResourceType", "instance"}};
  add(what, "ZoneId", it.zone);
  add(what, "InstanceType", it.type);
  HOLDFAST_TRY(const json stock, ask("DescribeAvailableResource", std::move(what), deadline));
  HOLDFAST_TRY(facts.types, read_ecs_stock(stock));
  return std::optional(std::move(facts));
}

Answer<std::vector<std::string>> AlibabaDisks::types_in_stock(const std::string& zone, Deadline deadline) {
  Parameters what{{"DestinationResource", "DataDisk"}, {"ResourceType", "disk"}};
  add(what, "ZoneId", zone);
  HOLDFAST_TRY(const json answer, ask("DescribeAvailableResource", std::move(what), deadline));
  return read_ecs_stock(answer);
}

}  // namespace holdfast::disk
