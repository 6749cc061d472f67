#include "csi-disk/driver/disk_records.h"

#include <nlohmann/json.hpp>

#include "common/base/json.h"
#include "common/base/sha.h"
#include "common/base/state_file.h"

namespace holdfast::disk {
namespace {

constexpr StateKind kKind{.name = "disk-record", .version = 1};
constexpr std::size_t kMostBytes = 16384;
constexpr std::size_t kNameDigits = 32;

std::string text_of(const DiskRecord& record) {
  return dump_json({{"volume", record.volume},
                    {"serial", record.identity.serial},
                    {"wwn", record.identity.wwn},
                    {"devicePath", record.device_path},
                    {"raw", record.raw},
                    {"content", record.content},
                    {"attachedAs", record.attached_as}});
}

}  // namespace

Result<DiskRecord> parse_record(std::string_view text) {
  HOLDFAST_TRY(const nlohmann::json document, parse_json(text));
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(document));
  DiskRecord out;
  HOLDFAST_TRY(out.volume, object["volume"].string());
  HOLDFAST_TRY(out.identity.serial, object["serial"].string_or(""));
  HOLDFAST_TRY(out.identity.wwn, object["wwn"].string_or(""));
  HOLDFAST_TRY(out.device_path, object["devicePath"].string_or(""));
  HOLDFAST_TRY(out.raw, object["raw"].boolean_or(false));
  HOLDFAST_TRY(out.content, object["content"].string());
  HOLDFAST_TRY(out.attached_as, object["attachedAs"].string_or(""));
  if (!out.identity.serial.empty() || !out.identity.wwn.empty()) return out;
  return object["serial"].refuse("and wwn are both empty");
}

std::filesystem::path DiskRecords::path_of(const std::string& volume) const {
  return folder_ / sha256_hex(volume).substr(0, kNameDigits);
}

Result<FoundRecord> DiskRecords::read_file(const std::filesystem::path& path) const {
  HOLDFAST_TRY(const StateFile file, read_state(files_, path, kKind, kMostBytes));
  if (!file.content) return FoundRecord{.record = std::nullopt, .damaged = !file.note.empty()};
  auto record = parse_record(*file.content);
  if (!record) return FoundRecord{.record = std::nullopt, .damaged = true};
  return FoundRecord{.record = *std::move(record), .damaged = false};
}

Result<FoundRecord> DiskRecords::read(const std::string& volume) const {
  HOLDFAST_TRY(FoundRecord found, read_file(path_of(volume)));
  if (found.record && found.record->volume != volume)
    return FoundRecord{.record = std::nullopt, .damaged = true};
  return found;
}

Result<std::vector<DiskRecord>> DiskRecords::all() const {
  HOLDFAST_TRY(const std::vector<std::string> names, files_.list(folder_));
  std::vector<DiskRecord> out;
  for (const std::string& name : names) {
    if (name.size() != kNameDigits) continue;
    HOLDFAST_TRY(FoundRecord found, read_file(folder_ / name));
    if (found.record) out.push_back(*std::move(found.record));
  }
  return out;
}

Status DiskRecords::write(const DiskRecord& record) {
  return write_state(files_, path_of(record.volume), kKind, text_of(record));
}

Status DiskRecords::remove(const std::string& volume) {
  HOLDFAST_CHECK(files_.remove(path_of(volume)));
  return files_.sync_folder(folder_);
}

Status ContentRecord::write(const block::Provenance& provenance) {
  DiskRecord next = record_;
  next.content = block::to_string(provenance);
  HOLDFAST_CHECK(records_.write(next));
  record_ = std::move(next);
  return {};
}

}  // namespace holdfast::disk
