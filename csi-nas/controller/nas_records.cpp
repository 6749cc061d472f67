#include "csi-nas/controller/nas_records.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"
#include "common/base/sha.h"
#include "common/base/state_file.h"
#include "csi-nas/controller/record_json.h"

namespace holdfast::nas {
namespace {

constexpr StateKind kKind{.name = "nas-volume", .version = 1};
constexpr mode_t kFolderMode = 0700;
constexpr std::size_t kHashDigits = 40;
constexpr const char* kKept = "kept";  // the version of all: nobody else writes them

Result<NasRecord> parse(const std::string& text) {
  HOLDFAST_TRY(const nlohmann::json document, parse_json(text));
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(document));
  HOLDFAST_TRY(NasRecord record, record_from_json(object));
  record.version = kKept;
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

Status FileRecords::put(NasRecord& record) {
  const std::lock_guard lock(mutex_);
  HOLDFAST_CHECK(write_state(files_, path_of(record.id), kKind, dump_json(record_to_json(record))));
  record.version = kKept;
  records_.insert_or_assign(record.id, record);
  return {};
}

Status FileRecords::remove(const NasRecord& record) {
  const std::lock_guard lock(mutex_);
  HOLDFAST_CHECK(files_.remove(path_of(record.id)));
  HOLDFAST_CHECK(files_.sync_folder(folder_));
  records_.erase(record.id);
  return {};
}

Result<std::optional<NasRecord>> FileRecords::by_id(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = records_.find(id);
  return found == records_.end() ? std::nullopt : std::optional(found->second);
}

Result<std::optional<NasRecord>> FileRecords::by_name(const std::string& name, bool snapshot) const {
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
