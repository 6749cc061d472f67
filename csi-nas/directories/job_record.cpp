#include "csi-nas/directories/job_record.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/checksum.h"
#include "common/base/json.h"
#include "common/base/text.h"

namespace holdfast::nas {
namespace {

constexpr std::size_t kRecordBytes = 4096;
constexpr std::size_t kMostText = 1200;  // which JSON may escape to twice that
constexpr std::size_t kMostName = 200;
constexpr std::string_view kHead = "holdfast-job v1 crc32c=";
constexpr std::size_t kDigits = 8;
constexpr int kHex = 16;
constexpr std::array<std::string_view, 3> kStates{"running", "done", "failed"};

std::string checksum_of(std::string_view text) {
  std::array<char, kDigits> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + kDigits, crc32c(text), kHex).ptr;
  const auto size = static_cast<std::size_t>(end - digits.data());
  return std::string(kDigits - size, '0') + std::string(digits.data(), size);
}

Result<std::uint64_t> count_of(const JsonObject& object, std::string_view key) {
  HOLDFAST_TRY(const std::int64_t value, object[key].integer_or(0, 0, INT64_MAX));
  return static_cast<std::uint64_t>(value);
}

Result<JobRecord> from_json(std::string_view text) {
  HOLDFAST_TRY(const nlohmann::json document, parse_json(text));
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(document));
  JobRecord record;
  HOLDFAST_TRY(const std::string state, object["state"].string());
  if (state == kStates[1]) record.state = JobRecord::State::kDone;
  if (state == kStates[2]) record.state = JobRecord::State::kFailed;
  HOLDFAST_TRY(record.lane, object["lane"].string_or(""));
  HOLDFAST_TRY(record.work, object["work"].string_or(""));
  HOLDFAST_TRY(record.progress.entries, count_of(object, "entries"));
  HOLDFAST_TRY(record.progress.bytes, count_of(object, "bytes"));
  HOLDFAST_TRY(record.answer, object["answer"].string_or(""));
  HOLDFAST_TRY(record.error.message, object["error"].string_or(""));
  HOLDFAST_TRY(const std::int64_t code, object["code"].integer_or(13, 1, 15));
  record.error.code = static_cast<Code>(code);
  HOLDFAST_TRY(const std::int64_t sys_errno, object["errno"].integer_or(0, 0, 4095));
  record.error.sys_errno = static_cast<int>(sys_errno);
  return record;
}

}  // namespace

std::string to_text(const JobRecord& record) {
  nlohmann::json document{{"state", kStates[static_cast<std::size_t>(record.state)]},
                          {"lane", printable(record.lane, kMostName)},
                          {"work", printable(record.work, kMostName)},
                          {"entries", record.progress.entries},
                          {"bytes", record.progress.bytes}};
  if (record.state == JobRecord::State::kDone) document["answer"] = printable(record.answer, kMostText);
  if (record.state == JobRecord::State::kFailed) {
    document["error"] = printable(record.error.message, kMostText);
    document["code"] = static_cast<int>(record.error.code);
    document["errno"] = record.error.sys_errno;
  }
  const std::string json = dump_json(document);
  std::string text(kHead);
  text += checksum_of(json);
  text += ' ';
  text += json;
  text.resize(kRecordBytes, ' ');
  return text;
}

std::optional<JobRecord> parse_record(std::string_view text) {
  if (!text.starts_with(kHead)) return std::nullopt;
  text.remove_prefix(kHead.size());
  const std::string_view checksum = take_until(text, ' ');
  text = trim(text);
  if (checksum != checksum_of(text)) return std::nullopt;
  Result<JobRecord> record = from_json(text);
  if (!record) return std::nullopt;
  return *std::move(record);
}

Status write_record(int file, const JobRecord& record) {
  const std::string text = to_text(record);
  const ssize_t size = ::pwrite(file, text.data(), text.size(), 0);
  if (size < 0) return fail_errno(errno, "write how far the work has come");
  if (static_cast<std::size_t>(size) != text.size())
    return fail_errno(ENOSPC, "write how far the work has come");
  return {};
}

Result<std::optional<JobRecord>> read_record(int file) {
  std::array<char, kRecordBytes> text{};
  const ssize_t size = ::pread(file, text.data(), text.size(), 0);
  if (size < 0) return fail_errno(errno, "read how far a work has come");
  return parse_record(std::string_view(text.data(), static_cast<std::size_t>(size)));
}

}  // namespace holdfast::nas
