#include "csi-disk/backend/alibaba_answers.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "csi-disk/backend/checked_answer.h"

namespace holdfast::disk {
namespace {

using cloud::Answer;
using nlohmann::json;

constexpr std::int64_t kMostGib = std::int64_t{1} << 40;
constexpr std::int64_t kMostIops = std::int64_t{1} << 31;
constexpr std::int64_t kMostDisks = 100'000;

// {"Disks": {"Disk": [...]}}: what the cloud leaves out is empty.
Result<std::vector<JsonField>> nested(const JsonObject& object, std::string_view list,
                                      std::string_view item) {
  HOLDFAST_TRY(const JsonObject inner, object[list].object_or_empty());
  return inner[item].array_or_empty();
}

// The same of what an answer must have.
Result<std::vector<JsonField>> required(const json& answer, std::string_view list, std::string_view item) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(answer));
  HOLDFAST_TRY(const JsonObject inner, object[list].object());
  return inner[item].array();
}

Result<Tags> tags_of(const JsonObject& object) {
  HOLDFAST_TRY(const std::vector<JsonField> fields, nested(object, "Tags", "Tag"));
  Tags out;
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(const JsonObject tag, field.object());
    const JsonField key = tag["TagKey"].present() ? tag["TagKey"] : tag["Key"];
    const JsonField value = tag["TagValue"].present() ? tag["TagValue"] : tag["Value"];
    HOLDFAST_TRY(const std::string name, key.string());
    HOLDFAST_TRY(out[name], value.string_or(""));
  }
  return out;
}

DiskState state_of(std::string_view status) {
  if (status == "Creating") return DiskState::kCreating;
  if (status == "Available") return DiskState::kAvailable;
  if (status == "Attaching") return DiskState::kAttaching;
  if (status == "In_use") return DiskState::kInUse;
  if (status == "Detaching") return DiskState::kDetaching;
  return DiskState::kOther;
}

// A disk that one machine may have is told under InstanceId alone by some regions.
Result<std::vector<std::string>> nodes_of(const JsonObject& object) {
  HOLDFAST_TRY(const std::vector<JsonField> fields, nested(object, "Attachments", "Attachment"));
  std::vector<std::string> out;
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(const JsonObject each, field.object());
    HOLDFAST_TRY(std::string id, each["InstanceId"].string());
    out.push_back(std::move(id));
  }
  HOLDFAST_TRY(std::string one, object["InstanceId"].string_or(""));
  if (out.empty() && !one.empty()) out.push_back(std::move(one));
  return out;
}

Result<bool> locked(const JsonObject& object) {
  HOLDFAST_TRY(const std::vector<JsonField> fields, nested(object, "OperationLocks", "OperationLock"));
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(const JsonObject each, field.object());
    HOLDFAST_TRY(const std::string reason, each["LockReason"].string_or(""));
    if (reason == "financial") return true;
  }
  return false;
}

Result<Performance> performance_of(const JsonObject& object) {
  Performance out;
  HOLDFAST_TRY(out.type, object["Category"].string_or(""));
  HOLDFAST_TRY(out.level, object["PerformanceLevel"].string_or(""));
  HOLDFAST_TRY(const std::int64_t iops, object["ProvisionedIops"].integer_or(0, 0, kMostIops));
  if (iops > 0) out.iops = static_cast<std::uint32_t>(iops);
  if (object["BurstingEnabled"].present()) {
    HOLDFAST_TRY(out.bursting, object["BurstingEnabled"].boolean());
  }
  return out;
}

Result<Disk> disk_of(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject object, field.object());
  Disk disk;
  HOLDFAST_TRY(disk.id, object["DiskId"].string());
  HOLDFAST_TRY(disk.name, object["DiskName"].string_or(""));
  HOLDFAST_TRY(const std::int64_t gib, object["Size"].integer(0, kMostGib));
  disk.gib = static_cast<std::uint64_t>(gib);
  HOLDFAST_TRY(disk.performance, performance_of(object));
  HOLDFAST_TRY(disk.zone, object["ZoneId"].string_or(""));
  HOLDFAST_TRY(const std::string status, object["Status"].string());
  disk.state = state_of(status);
  HOLDFAST_TRY(disk.nodes, nodes_of(object));
  HOLDFAST_TRY(disk.serial, object["SerialNumber"].string_or(""));
  HOLDFAST_TRY(disk.snapshot, object["SourceSnapshotId"].string_or(""));
  HOLDFAST_TRY(disk.encrypted, object["Encrypted"].boolean_or(false));
  HOLDFAST_TRY(const std::string multi, object["MultiAttach"].string_or(""));
  disk.multi_attach = multi == "Enabled";
  HOLDFAST_TRY(disk.locked, locked(object));
  HOLDFAST_TRY(disk.tags, tags_of(object));
  return disk;
}

Result<Snapshot> snapshot_of(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject object, field.object());
  Snapshot snapshot;
  HOLDFAST_TRY(snapshot.id, object["SnapshotId"].string());
  HOLDFAST_TRY(snapshot.name, object["SnapshotName"].string_or(""));
  HOLDFAST_TRY(snapshot.disk, object["SourceDiskId"].string_or(""));
  HOLDFAST_TRY(const std::string gib, object["SourceDiskSize"].string_or("0"));
  const auto [end, error] = std::from_chars(gib.data(), gib.data() + gib.size(), snapshot.gib);
  if (error != std::errc{} || end != gib.data() + gib.size()) {
    return object["SourceDiskSize"].refuse("is not a number");
  }
  HOLDFAST_TRY(const std::string cut, object["CreationTime"].string_or(""));
  snapshot.cut = parse_utc(cut).value_or(std::chrono::sys_seconds{});
  HOLDFAST_TRY(const std::string status, object["Status"].string());
  snapshot.ready = status == "accomplished";
  snapshot.failed = status == "failed";
  HOLDFAST_TRY(snapshot.tags, tags_of(object));
  return snapshot;
}

template <class T>
Result<Page<T>> page_of(const json& answer, std::string_view list, std::string_view item,
                        Result<T> (*read)(const JsonField&)) {
  HOLDFAST_TRY(const std::vector<JsonField> fields, required(answer, list, item));
  Page<T> page;
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(T one, read(field));
    page.items.push_back(std::move(one));
  }
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(answer));
  HOLDFAST_TRY(page.next, object["NextToken"].string_or(""));
  return page;
}

Result<std::vector<EcsInstance>> instances_in(const json& answer) {
  HOLDFAST_TRY(const std::vector<JsonField> fields, required(answer, "Instances", "Instance"));
  std::vector<EcsInstance> out;
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(const JsonObject object, field.object());
    EcsInstance one;
    HOLDFAST_TRY(one.id, object["InstanceId"].string());
    HOLDFAST_TRY(one.zone, object["ZoneId"].string_or(""));
    HOLDFAST_TRY(one.type, object["InstanceType"].string_or(""));
    out.push_back(std::move(one));
  }
  return out;
}

Result<std::optional<std::uint32_t>> disk_quantity_in(const json& answer) {
  HOLDFAST_TRY(const std::vector<JsonField> fields, required(answer, "InstanceTypes", "InstanceType"));
  if (fields.empty()) return std::optional<std::uint32_t>{};
  HOLDFAST_TRY(const JsonObject object, fields.front().object());
  if (!object["DiskQuantity"].present()) return std::optional<std::uint32_t>{};
  HOLDFAST_TRY(const std::int64_t count, object["DiskQuantity"].integer(0, kMostDisks));
  return std::optional(static_cast<std::uint32_t>(count));
}

Status add_stock(const JsonField& resource, std::vector<std::string>& into) {
  HOLDFAST_TRY(const JsonObject object, resource.object());
  HOLDFAST_TRY(const std::string kind, object["Type"].string_or(""));
  if (kind != "DataDisk") return {};
  HOLDFAST_TRY(const std::vector<JsonField> fields,
               nested(object, "SupportedResources", "SupportedResource"));
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(const JsonObject each, field.object());
    HOLDFAST_TRY(std::string type, each["Value"].string());
    HOLDFAST_TRY(const std::string status, each["Status"].string_or(""));
    HOLDFAST_TRY(const std::string stock, each["StatusCategory"].string_or(""));
    if (status == "Available" && stock != "WithoutStock") into.push_back(std::move(type));
  }
  return {};
}

Result<std::vector<std::string>> stock_in(const json& answer) {
  std::vector<std::string> out;
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(answer));
  // Without the member there is nothing of the kind in the region.
  HOLDFAST_TRY(const std::vector<JsonField> zones, nested(object, "AvailableZones", "AvailableZone"));
  for (const JsonField& field : zones) {
    HOLDFAST_TRY(const JsonObject zone, field.object());
    HOLDFAST_TRY(const std::vector<JsonField> resources,
                 nested(zone, "AvailableResources", "AvailableResource"));
    for (const JsonField& resource : resources) {
      HOLDFAST_CHECK(add_stock(resource, out));
    }
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Result<std::string> text_in(const json& answer, std::string_view key) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(answer));
  HOLDFAST_TRY(std::string text, object[key].string());
  if (text.empty()) return object[key].refuse("is empty");
  return text;
}

}  // namespace

Answer<Page<Disk>> read_ecs_disks(const json& answer) {
  return checked_answer(page_of<Disk>(answer, "Disks", "Disk", &disk_of));
}
Answer<Page<Snapshot>> read_ecs_snapshots(const json& answer) {
  return checked_answer(page_of<Snapshot>(answer, "Snapshots", "Snapshot", &snapshot_of));
}
Answer<std::vector<EcsInstance>> read_ecs_instances(const json& answer) {
  return checked_answer(instances_in(answer));
}
Answer<std::optional<std::uint32_t>> read_ecs_disk_quantity(const json& answer) {
  return checked_answer(disk_quantity_in(answer));
}
Answer<std::vector<std::string>> read_ecs_stock(const json& answer) {
  return checked_answer(stock_in(answer));
}
Answer<std::string> read_ecs_id(const json& answer, std::string_view key) {
  return checked_answer(text_in(answer, key));
}

}  // namespace holdfast::disk
