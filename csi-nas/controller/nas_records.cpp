#include "csi-nas/controller/nas_records.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"
#include "common/base/sha.h"
#include "common/base/state_file.h"

namespace holdfast::nas {
namespace {

constexpr StateKind kKind{.name = "nas-volume", .version = 1};
constexpr mode_t kFolderMode = 0700;
constexpr std::size_t kHashDigits = 40;
constexpr std::array<std::string_view, 3> kKinds{"subpath", "sharepath", "snapshot"};

std::string to_text(const NasRecord& record) {
  return dump_json({{"kind", kKinds[static_cast<std::size_t>(record.kind)]},
                    {"id", record.id},
                    {"name", record.name},
                    {"attributes", record.attributes},
                    {"mountOptions", record.mount_options},
                    {"directory", record.directory},
                    {"bytes", record.bytes},
                    {"onDelete", to_string(record.on_delete)},
                    {"source", record.source},
                    {"ofSnapshot", record.of_snapshot},
                    {"made", record.made},
                    {"ready", record.ready}});
}

Result<NasRecord> parse(const std::string& text) {
  HOLDFAST_TRY(const nlohmann::json document, parse_json(text));
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(document));
  NasRecord record;
  HOLDFAST_TRY(const std::string kind, object["kind"].string());
  const auto* const known = std::ranges::find(kKinds, kind);
  if (known == kKinds.end()) return object["kind"].refuse("is not known");
  record.kind = static_cast<NasRecord::Kind>(known - kKinds.begin());
  HOLDFAST_TRY(record.id, object["id"].string());
  HOLDFAST_TRY(record.name, object["name"].string());
  HOLDFAST_TRY(const JsonObject attributes, object["attributes"].object_or_empty());
  for (const std::string& key : attributes.keys()) {
    HOLDFAST_TRY(record.attributes[key], attributes[key].string());
  }
  HOLDFAST_TRY(record.mount_options, object["mountOptions"].strings_or_empty());
  HOLDFAST_TRY(record.directory, object["directory"].string_or(""));
  HOLDFAST_TRY(const std::int64_t bytes, object["bytes"].integer_or(0, 0, INT64_MAX));
  record.bytes = static_cast<std::uint64_t>(bytes);
  HOLDFAST_TRY(const std::string policy, object["onDelete"].string());
  record.on_delete = parse_on_delete(policy).value_or(OnDelete::kArchive);
  HOLDFAST_TRY(record.source, object["source"].string_or(""));
  HOLDFAST_TRY(record.of_snapshot, object["ofSnapshot"].boolean_or(false));
  HOLDFAST_TRY(record.made, object["made"].integer_or(0, INT64_MIN, INT64_MAX));
  HOLDFAST_TRY(record.ready, object["ready"].boolean_or(false));
  return record;
}

bool is_snapshot(const NasRecord& record) { return record.kind == NasRecord::Kind::kSnapshot; }

}  // namespace

Result<std::unique_ptr<FileRecords>> FileRecords::open(Files& files, std::filesystem::path folder,
                                                       std::vector<std::string>& notes) {
  HOLDFAST_CHECK(files.make_folders(folder, kFolderMode));
  std::unique_ptr<FileRecords> records(new FileRecords(files, std::move(folder)));
  HOLDFAST_TRY(const std::vector<std::string> names, files.list(records->folder_));
  for (const std::string& name : names) {
    if (name.size() != kHashDigits) continue;  // a temporary file, or a damaged one that was put aside
    HOLDFAST_TRY(const StateFile state, read_state(files, records->folder_ / name, kKind));
    if (!state.note.empty()) notes.push_back(state.note);
    if (!state.content) continue;
    Result<NasRecord> record = parse(*state.content);
    if (!record) {
      notes.push_back(name + ": " + record.error().message);
      continue;
    }
    const std::string id = record->id;
    records->records_.insert_or_assign(id, *std::move(record));
  }
  return records;
}

std::filesystem::path FileRecords::path_of(const std::string& id) const {
  return folder_ / sha512_hex(id).substr(0, kHashDigits);
}

Status FileRecords::put(const NasRecord& record) {
  const std::lock_guard lock(mutex_);
  HOLDFAST_CHECK(write_state(files_, path_of(record.id), kKind, to_text(record)));
  records_.insert_or_assign(record.id, record);
  return {};
}

Status FileRecords::remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  HOLDFAST_CHECK(files_.remove(path_of(id)));
  HOLDFAST_CHECK(files_.sync_folder(folder_));
  records_.erase(id);
  return {};
}

std::optional<NasRecord> FileRecords::by_id(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = records_.find(id);
  return found == records_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<NasRecord> FileRecords::by_name(const std::string& name, bool snapshot) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(records_, [&](const auto& each) {
    return each.second.name == name && is_snapshot(each.second) == snapshot;
  });
  return found == records_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<NasRecord> FileRecords::list(bool snapshots) const {
  const std::lock_guard lock(mutex_);
  std::vector<NasRecord> out;
  for (const auto& [id, record] : records_) {
    if (is_snapshot(record) == snapshots) out.push_back(record);
  }
  return out;
}

}  // namespace holdfast::nas
