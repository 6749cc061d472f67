#include "csi-nas/driver/usage_record.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/json.h"
#include "common/base/state_file.h"

namespace holdfast::nas {
namespace {

constexpr StateKind kKind{.name = "nas-usage", .version = 1};
constexpr std::size_t kNumbers = 6;

Result<block::VolumeUsage> usage_of(const JsonField& field) {
  HOLDFAST_TRY(const std::vector<JsonField> fields, field.array());
  if (fields.size() != kNumbers) return field.refuse("is not six numbers");
  std::vector<std::uint64_t> numbers;
  for (const JsonField& each : fields) {
    HOLDFAST_TRY(const std::int64_t number, each.integer(0, std::numeric_limits<std::int64_t>::max()));
    numbers.push_back(static_cast<std::uint64_t>(number));
  }
  return block::VolumeUsage{.total_bytes = numbers[0],
                            .available_bytes = numbers[1],
                            .used_bytes = numbers[2],
                            .total_inodes = numbers[3],
                            .available_inodes = numbers[4],
                            .used_inodes = numbers[5]};
}

}  // namespace

std::string write_usages(const Usages& usages) {
  // CSI's usages are signed, so what is beyond was never told.
  const auto told = [](std::uint64_t number) {
    return static_cast<std::int64_t>(
        std::min(number, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())));
  };
  nlohmann::json volumes = nlohmann::json::object();
  for (const auto& [volume, usage] : usages) {
    volumes[volume] = {told(usage.total_bytes),  told(usage.available_bytes),  told(usage.used_bytes),
                       told(usage.total_inodes), told(usage.available_inodes), told(usage.used_inodes)};
  }
  return dump_json({{"volumes", std::move(volumes)}});
}

Result<Usages> read_usages(std::string_view text) {
  HOLDFAST_TRY(const nlohmann::json document,
               parse_json(text, {.max_bytes = kMaxStateBytes, .max_depth = 4}));
  HOLDFAST_TRY(const JsonObject root, JsonObject::of(document));
  HOLDFAST_TRY(const JsonObject volumes, root["volumes"].object());
  Usages out;
  for (const std::string& volume : volumes.keys()) {
    HOLDFAST_TRY(out[volume], usage_of(volumes[volume]));
  }
  return out;
}

UsageRecord::UsageRecord(Files& files, Clock& clock, std::filesystem::path path)
    : files_(files), clock_(clock), path_(std::move(path)) {}

Result<Usages> UsageRecord::read() {
  HOLDFAST_TRY(const StateFile file, read_state(files_, path_, kKind));
  if (!file.content) return Usages{};
  auto usages = read_usages(*file.content);
  if (!usages) return tl::unexpected(std::move(usages).error().within(path_.native()));
  written_ = *usages;
  written_at_ = clock_.since_boot();
  return usages;
}

bool UsageRecord::is_due(const Usages& usages) const {
  if (usages == written_) return false;
  const bool same_volumes = std::ranges::equal(
      usages, written_, [](const auto& one, const auto& other) { return one.first == other.first; });
  return !same_volumes || clock_.since_boot() - written_at_ >= kInterval;
}

Status UsageRecord::keep(const Usages& usages) {
  if (!is_due(usages)) return {};
  HOLDFAST_CHECK(files_.make_folders(path_.parent_path(), 0700));
  HOLDFAST_CHECK(write_state(files_, path_, kKind, write_usages(usages)));
  written_ = usages;
  written_at_ = clock_.since_boot();
  return {};
}

}  // namespace holdfast::nas
