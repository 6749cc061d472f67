#include "csi-disk/backend/tencent_answers.h"

#include <nlohmann/json.hpp>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "csi-disk/backend/checked_answer.h"

namespace holdfast::disk {
namespace {

using cloud::Answer;
using nlohmann::json;

constexpr std::int64_t kMostGib = std::int64_t{1} << 40;
constexpr std::int64_t kMostItems = std::int64_t{1} << 40;
constexpr std::int64_t kMostDisks = 100'000;

Result<Tags> tags_of(const JsonObject& object) {
  HOLDFAST_TRY(const std::vector<JsonField> fields, object["Tags"].array_or_empty());
  Tags out;
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(const JsonObject tag, field.object());
    HOLDFAST_TRY(const std::string key, tag["Key"].string());
    HOLDFAST_TRY(out[key], tag["Value"].string_or(""));
  }
  return out;
}

DiskState state_of(std::string_view state) {
  if (state == "CREATING") return DiskState::kCreating;
  if (state == "UNATTACHED") return DiskState::kAvailable;
  if (state == "ATTACHING") return DiskState::kAttaching;
  if (state == "ATTACHED") return DiskState::kInUse;
  if (state == "DETACHING") return DiskState::kDetaching;
  return DiskState::kOther;
}

// InstanceIdList has those of shared disks, and not always those of others.
Result<std::vector<std::string>> nodes_of(const JsonObject& object) {
  HOLDFAST_TRY(std::vector<std::string> out, object["InstanceIdList"].strings_or_empty());
  HOLDFAST_TRY(std::string one, object["InstanceId"].string_or(""));
  if (out.empty() && !one.empty()) out.push_back(std::move(one));
  return out;
}

Result<Disk> disk_of(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject object, field.object());
  Disk disk;
  HOLDFAST_TRY(disk.id, object["DiskId"].string());
  disk.serial = disk.id;
  HOLDFAST_TRY(disk.name, object["DiskName"].string_or(""));
  HOLDFAST_TRY(const std::int64_t gib, object["DiskSize"].integer(0, kMostGib));
  disk.gib = static_cast<std::uint64_t>(gib);
  HOLDFAST_TRY(disk.performance.type, object["DiskType"].string_or(""));
  if (object["BurstPerformance"].present()) {
    HOLDFAST_TRY(disk.performance.bursting, object["BurstPerformance"].boolean());
  }
  HOLDFAST_TRY(const JsonObject placement, object["Placement"].object_or_empty());
  HOLDFAST_TRY(disk.zone, placement["Zone"].string_or(""));
  HOLDFAST_TRY(const std::string state, object["DiskState"].string());
  disk.state = state_of(state);
  HOLDFAST_TRY(disk.nodes, nodes_of(object));
  HOLDFAST_TRY(disk.snapshot, object["SnapshotId"].string_or(""));
  HOLDFAST_TRY(disk.encrypted, object["Encrypt"].boolean_or(false));
  HOLDFAST_TRY(disk.multi_attach, object["Shareable"].boolean_or(false));
  disk.locked = state == "TORECYCLE";  // an account in arrears has its disks in the recycle bin
  HOLDFAST_TRY(disk.tags, tags_of(object));
  return disk;
}

// "2026-11-22 08:00:00".
std::chrono::sys_seconds time_of(std::string text) {
  const std::size_t blank = text.find(' ');
  if (blank == std::string::npos) return {};
  text[blank] = 'T';
  return parse_utc(text + "Z").value_or(std::chrono::sys_seconds{});
}

Result<Snapshot> snapshot_of(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject object, field.object());
  Snapshot snapshot;
  HOLDFAST_TRY(snapshot.id, object["SnapshotId"].string());
  HOLDFAST_TRY(snapshot.name, object["SnapshotName"].string_or(""));
  HOLDFAST_TRY(snapshot.disk, object["DiskId"].string_or(""));
  HOLDFAST_TRY(const std::int64_t gib, object["DiskSize"].integer_or(0, 0, kMostGib));
  snapshot.gib = static_cast<std::uint64_t>(gib);
  HOLDFAST_TRY(const std::string cut, object["CreateTime"].string_or(""));
  snapshot.cut = time_of(cut);
  HOLDFAST_TRY(const std::string state, object["SnapshotState"].string());
  snapshot.ready = state == "NORMAL";
  HOLDFAST_TRY(snapshot.tags, tags_of(object));
  return snapshot;
}

template <class T>
Result<Page<T>> page_of(const json& answer, std::string_view set, std::uint64_t offset,
                        Result<T> (*read)(const JsonField&)) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(answer));
  HOLDFAST_TRY(const std::vector<JsonField> fields, object[set].array());
  Page<T> page;
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(T one, read(field));
    page.items.push_back(std::move(one));
  }
  HOLDFAST_TRY(const std::int64_t total, object["TotalCount"].integer(0, kMostItems));
  const std::uint64_t next = offset + page.items.size();
  const bool more = next < static_cast<std::uint64_t>(total);
  // What is listed from behind the end on may have been deleted meanwhile; nothing else is missing.
  if (more && page.items.empty())
    return fail(Code::kDataLoss, std::string(set) + ": is empty, and TotalCount is " + std::to_string(total));
  if (more) page.next = std::to_string(next);
  return page;
}

Result<std::optional<std::string>> zone_in(const json& answer) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(answer));
  HOLDFAST_TRY(const std::vector<JsonField> fields, object["InstanceSet"].array());
  if (fields.empty()) return std::optional<std::string>{};
  HOLDFAST_TRY(const JsonObject first, fields.front().object());
  HOLDFAST_TRY(const JsonObject placement, first["Placement"].object_or_empty());
  HOLDFAST_TRY(std::string zone, placement["Zone"].string_or(""));
  return std::optional(std::move(zone));
}

Result<std::optional<std::uint32_t>> attach_limit_in(const json& answer) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(answer));
  HOLDFAST_TRY(const std::vector<JsonField> fields, object["AttachDetail"].array_or_empty());
  if (fields.empty()) return std::optional<std::uint32_t>{};
  HOLDFAST_TRY(const JsonObject first, fields.front().object());
  if (!first["MaxAttachCount"].present()) return std::optional<std::uint32_t>{};
  HOLDFAST_TRY(const std::int64_t most, first["MaxAttachCount"].integer(0, kMostDisks));
  return std::optional(static_cast<std::uint32_t>(most));
}

Result<std::vector<CbsStock>> stock_in(const json& answer) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(answer));
  HOLDFAST_TRY(const std::vector<JsonField> fields, object["DiskConfigSet"].array());
  std::vector<CbsStock> out;
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(const JsonObject each, field.object());
    HOLDFAST_TRY(const bool available, each["Available"].boolean_or(false));
    CbsStock stock;
    HOLDFAST_TRY(stock.zone, each["Zone"].string());
    HOLDFAST_TRY(stock.type, each["DiskType"].string());
    if (available) out.push_back(std::move(stock));
  }
  return out;
}

Result<std::string> disk_id_in(const json& answer) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(answer));
  HOLDFAST_TRY(const std::vector<std::string> ids, object["DiskIdSet"].strings_or_empty());
  if (ids.size() == 1 && !ids.front().empty()) return ids.front();
  return object["DiskIdSet"].refuse("is not one id");
}

Result<std::string> snapshot_id_in(const json& answer) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(answer));
  HOLDFAST_TRY(std::string id, object["SnapshotId"].string());
  if (id.empty()) return object["SnapshotId"].refuse("is empty");
  return id;
}

}  // namespace

Answer<Page<Disk>> read_cbs_disks(const json& answer, std::uint64_t offset) {
  return checked_answer(page_of<Disk>(answer, "DiskSet", offset, &disk_of));
}
Answer<Page<Snapshot>> read_cbs_snapshots(const json& answer, std::uint64_t offset) {
  return checked_answer(page_of<Snapshot>(answer, "SnapshotSet", offset, &snapshot_of));
}
Answer<std::optional<std::string>> read_cvm_zone(const json& answer) {
  return checked_answer(zone_in(answer));
}
Answer<std::optional<std::uint32_t>> read_cbs_attach_limit(const json& answer) {
  return checked_answer(attach_limit_in(answer));
}
Answer<std::vector<CbsStock>> read_cbs_stock(const json& answer) { return checked_answer(stock_in(answer)); }
Answer<std::string> read_cbs_disk_id(const json& answer) { return checked_answer(disk_id_in(answer)); }
Answer<std::string> read_cbs_snapshot_id(const json& answer) {
  return checked_answer(snapshot_id_in(answer));
}

}  // namespace holdfast::disk
