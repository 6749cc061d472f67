#include "csi-lvm/cluster/node_storage.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "csi-lvm/cluster/storage_names.h"
#include "csi-lvm/volumes/capacity.h"

namespace holdfast::lvm {
namespace {

using nlohmann::json;

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
// Of a decoded pool: what its volumes pretend to, as one. LVM takes no such name.
constexpr const char* kPretended = " pretended";

Result<std::uint64_t> count_at(const JsonField& field) {
  HOLDFAST_TRY(const std::int64_t count, field.integer_or(0, 0, kMax));
  return static_cast<std::uint64_t>(count);
}

// A pool that does not tell how full it is counts as full.
Result<double> percent_at(const JsonField& field) {
  constexpr double kFull = 100;
  if (!field.present()) return kFull;
  if (!field.raw().is_number()) return field.refuse("is no number");
  return field.raw().get<double>();
}

Result<PoolReport> decode_pool(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject object, field.object());
  PoolReport pool;
  HOLDFAST_TRY(pool.name, object["name"].string());
  HOLDFAST_TRY(pool.size_bytes, count_at(object["sizeBytes"]));
  HOLDFAST_TRY(pool.pretended_bytes, count_at(object["pretendedBytes"]));
  HOLDFAST_TRY(pool.data_percent, percent_at(object["dataPercent"]));
  HOLDFAST_TRY(pool.metadata_percent, percent_at(object["metadataPercent"]));
  return pool;
}

Result<GroupReport> decode_group(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject object, field.object());
  GroupReport group;
  HOLDFAST_TRY(group.name, object["name"].string());
  HOLDFAST_TRY(group.uuid, object["uuid"].string_or(""));
  HOLDFAST_TRY(group.extent_bytes, count_at(object["extentBytes"]));
  HOLDFAST_TRY(group.size_bytes, count_at(object["sizeBytes"]));
  HOLDFAST_TRY(group.free_bytes, count_at(object["freeBytes"]));
  HOLDFAST_TRY(group.missing_disks, count_at(object["missingDisks"]));
  HOLDFAST_TRY(group.spare_bytes, count_at(object["spareBytes"]));
  HOLDFAST_TRY(group.largest_bytes, count_at(object["largestBytes"]));
  HOLDFAST_TRY(group.largest_striped_bytes, count_at(object["largestStripedBytes"]));
  HOLDFAST_TRY(group.metadata, object["metadata"].string_or(""));
  HOLDFAST_TRY(const std::vector<JsonField> disks, object["diskFreeExtents"].array_or_empty());
  for (const JsonField& disk : disks) {
    HOLDFAST_TRY(const std::uint64_t extents, count_at(disk));
    group.disk_free_extents.push_back(extents);
  }
  HOLDFAST_TRY(const JsonObject volumes, object["volumes"].object_or_empty());
  for (const std::string& name : volumes.keys()) {
    HOLDFAST_TRY(group.volumes[name], count_at(volumes[name]));
  }
  HOLDFAST_TRY(const std::vector<JsonField> pools, object["pools"].array_or_empty());
  for (const JsonField& pool : pools) {
    HOLDFAST_TRY(PoolReport decoded, decode_pool(pool));
    group.pools.push_back(std::move(decoded));
  }
  return group;
}

Result<Orphan> decode_orphan(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject object, field.object());
  Orphan orphan;
  HOLDFAST_TRY(orphan.group, object["vg"].string_or(""));
  HOLDFAST_TRY(orphan.volume, object["volume"].string());
  HOLDFAST_TRY(orphan.size_bytes, count_at(object["sizeBytes"]));
  return orphan;
}

Result<NodeStorageStatus> decode_status(const JsonObject& object) {
  NodeStorageStatus status;
  HOLDFAST_TRY(status.heartbeat_time, object["heartbeatTime"].string_or(""));
  HOLDFAST_TRY(const std::vector<JsonField> groups, object["groups"].array_or_empty());
  for (const JsonField& group : groups) {
    HOLDFAST_TRY(GroupReport decoded, decode_group(group));
    status.groups.push_back(std::move(decoded));
  }
  HOLDFAST_TRY(const std::vector<JsonField> orphans, object["orphans"].array_or_empty());
  for (const JsonField& orphan : orphans) {
    HOLDFAST_TRY(Orphan decoded, decode_orphan(orphan));
    status.orphans.push_back(std::move(decoded));
  }
  HOLDFAST_TRY(status.orphan_count, count_at(object["orphanCount"]));
  HOLDFAST_TRY(status.trouble, object["trouble"].string_or(""));
  return status;
}

json encode_group(const GroupReport& group) {
  json pools = json::array();
  for (const PoolReport& pool : group.pools) {
    pools.push_back({{"name", pool.name},
                     {"sizeBytes", pool.size_bytes},
                     {"pretendedBytes", pool.pretended_bytes},
                     {"dataPercent", pool.data_percent},
                     {"metadataPercent", pool.metadata_percent}});
  }
  json out{{"name", group.name},
           {"uuid", group.uuid},
           {"extentBytes", group.extent_bytes},
           {"sizeBytes", group.size_bytes},
           {"freeBytes", group.free_bytes},
           {"missingDisks", group.missing_disks},
           {"spareBytes", group.spare_bytes},
           {"diskFreeExtents", group.disk_free_extents},
           {"largestBytes", group.largest_bytes},
           {"largestStripedBytes", group.largest_striped_bytes},
           {"volumes", json::object()},
           {"pools", std::move(pools)}};
  for (const auto& [name, size_bytes] : group.volumes) out["volumes"][name] = size_bytes;
  if (!group.metadata.empty()) out["metadata"] = group.metadata;
  return out;
}

void report_volumes(const VolumeGroup& group, GroupReport& report) {
  for (const LogicalVolume& volume : group.volumes) {
    if (volume.layout != Layout::kThinPool) report.volumes[volume.name] = volume.size_bytes;
  }
  for (const LogicalVolume& pool : group.volumes) {
    if (pool.layout != Layout::kThinPool) continue;
    constexpr double kFull = 100;
    PoolReport out{.name = pool.name,
                   .size_bytes = pool.size_bytes,
                   .data_percent = pool.data_percent.value_or(kFull),
                   .metadata_percent = pool.metadata_percent.value_or(kFull)};
    for (const LogicalVolume& volume : group.volumes) {
      if (volume.pool == pool.name) out.pretended_bytes += volume.size_bytes;
    }
    report.pools.push_back(std::move(out));
  }
}

std::uint64_t largest(const CapacityBook& book, const std::string& group, std::uint32_t stripes) {
  const Result<Capacity> capacity = book.capacity(group, stripes, "");
  return capacity ? capacity->largest_bytes : 0;
}

VolumeGroup group_of(const GroupReport& report) {
  VolumeGroup group;
  group.name = report.name;
  group.uuid = report.uuid;
  group.extent_bytes = report.extent_bytes;
  group.size_bytes = report.size_bytes;
  group.free_bytes = report.free_bytes;
  group.missing_disks = report.missing_disks;
  for (const std::uint64_t free_extents : report.disk_free_extents) {
    PhysicalVolume disk;
    disk.extents = disk.free_extents = free_extents;
    group.disks.push_back(std::move(disk));
  }
  for (const PoolReport& told : report.pools) {
    LogicalVolume pool;
    pool.name = told.name;
    pool.layout = Layout::kThinPool;
    pool.size_bytes = told.size_bytes;
    pool.data_percent = told.data_percent;
    pool.metadata_percent = told.metadata_percent;
    LogicalVolume pretended;
    pretended.name = kPretended;
    pretended.pool = told.name;
    pretended.size_bytes = told.pretended_bytes;
    pretended.layout = Layout::kThin;
    group.volumes.push_back(std::move(pool));
    group.volumes.push_back(std::move(pretended));
  }
  return group;
}

}  // namespace

kube::KeptFields node_storage_fields() { return {"spec", "status"}; }

Result<NodeStorageObject> decode_node_storage(const JsonObject& object) {
  NodeStorageObject out;
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object());
  HOLDFAST_TRY(out.id.name, metadata["name"].string());
  HOLDFAST_TRY(out.id.uid, metadata["uid"].string_or(""));
  HOLDFAST_TRY(out.id.resource_version, metadata["resourceVersion"].string_or(""));
  HOLDFAST_TRY(const JsonObject spec, object["spec"].object_or_empty());
  HOLDFAST_TRY(const JsonObject topology, spec["topology"].object_or_empty());
  for (const std::string& key : topology.keys()) {
    HOLDFAST_TRY(out.topology[key], topology[key].string());
  }
  HOLDFAST_TRY(const JsonObject status, object["status"].object_or_empty());
  HOLDFAST_TRY(out.status, decode_status(status));
  return out;
}

json encode_node_storage(const std::string& node, const std::map<std::string, std::string>& topology) {
  return {{"apiVersion", kStorageApiVersion},
          {"kind", kNodeStorageKind},
          {"metadata", {{"name", node}}},
          {"spec", {{"topology", topology}}}};
}

json encode_status(const NodeStorageStatus& status) {
  json groups = json::array();
  for (const GroupReport& group : status.groups) groups.push_back(encode_group(group));
  json orphans = json::array();
  for (const Orphan& orphan : status.orphans) {
    orphans.push_back({{"vg", orphan.group}, {"volume", orphan.volume}, {"sizeBytes", orphan.size_bytes}});
  }
  return {{"heartbeatTime", status.heartbeat_time},
          {"groups", std::move(groups)},
          {"orphans", std::move(orphans)},
          {"orphanCount", status.orphan_count},
          {"trouble", status.trouble.empty() ? json() : json(status.trouble)}};
}

std::vector<GroupReport> report_groups(const Inventory& inventory,
                                       const std::map<std::string, std::uint64_t>& spare_bytes) {
  CapacityBook book(PoolLimits{}, spare_bytes);
  book.update(inventory);
  std::vector<GroupReport> out;
  for (const VolumeGroup& group : inventory.groups) {
    GroupReport report{.name = group.name,
                       .uuid = group.uuid,
                       .extent_bytes = group.extent_bytes,
                       .size_bytes = group.size_bytes,
                       .free_bytes = group.free_bytes,
                       .missing_disks = group.missing_disks};
    const auto spare = spare_bytes.find(group.name);
    if (spare != spare_bytes.end()) report.spare_bytes = spare->second;
    for (const PhysicalVolume& disk : group.disks) {
      const bool usable = !disk.missing && disk.allocatable;
      report.disk_free_extents.push_back(usable ? disk.free_extents : 0);
    }
    report.largest_bytes = largest(book, group.name, 1);
    report.largest_striped_bytes = largest(book, group.name, 0);
    report_volumes(group, report);
    out.push_back(std::move(report));
  }
  return out;
}

Inventory inventory_of(const std::vector<GroupReport>& groups) {
  Inventory out;
  for (const GroupReport& report : groups) out.groups.push_back(group_of(report));
  return out;
}

}  // namespace holdfast::lvm
