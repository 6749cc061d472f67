#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"
#include "common/base/text.h"
#include "csi-lvm/lvm/inventory.h"

// What LVM reports, read: of the commands in inventory_commands.cpp.
namespace holdfast::lvm {
namespace {

constexpr JsonLimits kReportLimits{.max_bytes = std::size_t{64} << 20, .max_depth = 8};

// One row of a report: every value is a string there, a number as well.
class Row {
 public:
  explicit Row(JsonObject fields) : fields_(std::move(fields)) {}

  [[nodiscard]] bool has(const char* name) const { return fields_[name].present(); }
  [[nodiscard]] Result<std::string> text(const char* name) const { return fields_[name].string(); }

  // 0 where LVM leaves the field empty: it does not apply.
  template <class Number>
  [[nodiscard]] Result<Number> number(const char* name) const {
    HOLDFAST_TRY(const std::string digits, text(name));
    Number value{};
    if (digits.empty() || digits == "-1") return value;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || end != digits.data() + digits.size()) {
      return fields_[name].refuse("is no number");
    }
    return value;
  }

  [[nodiscard]] Result<bool> flag(const char* name) const {
    HOLDFAST_TRY(const auto value, number<std::uint64_t>(name));
    return value != 0;
  }

  // "12.34", empty where it does not apply.
  [[nodiscard]] Result<std::optional<double>> percent(const char* name) const {
    HOLDFAST_TRY(const std::string digits, text(name));
    if (digits.empty()) return std::nullopt;
    HOLDFAST_TRY(const double value, number<double>(name));
    return value;
  }

  [[nodiscard]] Result<std::vector<std::string>> words(const char* name) const {
    HOLDFAST_TRY(const std::string list, text(name));
    std::vector<std::string> found;
    for (std::string_view rest = list; !rest.empty();) found.emplace_back(take_until(rest, ','));
    return found;
  }

 private:
  JsonObject fields_;
};

// Calls `take` with each row of a table of one group's part of the report.
template <class Take>
Status for_each_row(const JsonObject& part, const char* table, Take take) {
  HOLDFAST_TRY(const std::vector<JsonField> rows, part[table].array_or_empty());
  for (const JsonField& row : rows) {
    HOLDFAST_TRY(JsonObject fields, row.object());
    HOLDFAST_CHECK(take(Row(std::move(fields))));
  }
  return {};
}

Result<PhysicalVolume> read_disk(const Row& row) {
  PhysicalVolume disk;
  HOLDFAST_TRY(disk.uuid, row.text("pv_uuid"));
  HOLDFAST_TRY(disk.device, row.text("pv_name"));
  HOLDFAST_TRY(disk.size_bytes, row.number<std::uint64_t>("pv_size"));
  HOLDFAST_TRY(disk.extents, row.number<std::uint64_t>("pv_pe_count"));
  HOLDFAST_TRY(const auto used, row.number<std::uint64_t>("pv_pe_alloc_count"));
  disk.free_extents = disk.extents - std::min(used, disk.extents);
  HOLDFAST_TRY(disk.missing, row.flag("pv_missing"));
  HOLDFAST_TRY(disk.allocatable, row.flag("pv_allocatable"));
  return disk;
}

Layout layout_of(const std::vector<std::string>& words) {
  const auto has = [&words](std::string_view word) { return std::ranges::find(words, word) != words.end(); };
  if (has("thin")) return has("pool") ? Layout::kThinPool : Layout::kThin;
  if (words.size() != 1) return Layout::kOther;
  if (has("linear")) return Layout::kLinear;
  return has("striped") ? Layout::kStriped : Layout::kOther;
}

// Source: lvs(8), "lv_attr bits", the eighth.
bool zeroes_new_blocks(std::string_view attributes) {
  constexpr std::size_t kZeroing = 7;
  return attributes.size() > kZeroing && attributes[kZeroing] == 'z';
}

// What its device says.
Status read_device(const Row& row, LogicalVolume& volume) {
  HOLDFAST_TRY(const std::string attributes, row.text("lv_attr"));
  volume.zeroes = volume.layout == Layout::kThinPool && zeroes_new_blocks(attributes);
  HOLDFAST_TRY(const std::string active, row.text("lv_active"));
  volume.active = active == "active";
  HOLDFAST_TRY(volume.open, row.flag("lv_device_open"));
  HOLDFAST_TRY(volume.lost, row.flag("lv_snapshot_invalid"));
  HOLDFAST_TRY(const bool suspended, row.flag("lv_suspended"));
  HOLDFAST_TRY(const bool waiting_table, row.flag("lv_inactive_table"));
  volume.unsettled = suspended || waiting_table;
  HOLDFAST_TRY(volume.major, row.number<std::uint32_t>("lv_kernel_major"));
  HOLDFAST_TRY(volume.minor, row.number<std::uint32_t>("lv_kernel_minor"));
  HOLDFAST_TRY(volume.data_percent, row.percent("data_percent"));
  HOLDFAST_TRY(volume.metadata_percent, row.percent("metadata_percent"));
  return {};
}

Result<LogicalVolume> read_volume(const Row& row) {
  LogicalVolume volume;
  HOLDFAST_TRY(volume.name, row.text("lv_name"));
  HOLDFAST_TRY(volume.uuid, row.text("lv_uuid"));
  HOLDFAST_TRY(const std::vector<std::string> layout, row.words("lv_layout"));
  volume.layout = layout_of(layout);
  HOLDFAST_TRY(volume.size_bytes, row.number<std::uint64_t>("lv_size"));
  HOLDFAST_TRY(volume.tags, row.words("lv_tags"));
  HOLDFAST_TRY(volume.pool, row.text("pool_lv"));
  HOLDFAST_TRY(volume.origin, row.text("origin"));
  HOLDFAST_TRY(volume.health, row.text("lv_health_status"));
  volume.partial = volume.health == "partial";
  HOLDFAST_TRY(volume.metadata_bytes, row.number<std::uint64_t>("lv_metadata_size"));
  if (row.has("lv_active")) HOLDFAST_CHECK(read_device(row, volume));
  return volume;
}

Result<VolumeGroup> read_group(const Row& row) {
  VolumeGroup group;
  HOLDFAST_TRY(group.name, row.text("vg_name"));
  HOLDFAST_TRY(group.uuid, row.text("vg_uuid"));
  HOLDFAST_TRY(group.extent_bytes, row.number<std::uint64_t>("vg_extent_size"));
  HOLDFAST_TRY(group.size_bytes, row.number<std::uint64_t>("vg_size"));
  HOLDFAST_TRY(group.free_bytes, row.number<std::uint64_t>("vg_free"));
  HOLDFAST_TRY(group.missing_disks, row.number<std::uint64_t>("vg_missing_pv_count"));
  HOLDFAST_TRY(group.sequence, row.number<std::uint64_t>("vg_seqno"));
  HOLDFAST_TRY(group.tags, row.words("vg_tags"));
  return group;
}

// The segments of all volumes stand in a table of their own. Of a volume extended with fewer stripes than it
// began with the most count: so many disks it needs.
Result<std::map<std::string, std::uint32_t>> read_stripes(const JsonObject& part) {
  std::map<std::string, std::uint32_t> stripes;
  HOLDFAST_CHECK(for_each_row(part, "seg", [&stripes](const Row& row) -> Status {
    HOLDFAST_TRY(const std::string uuid, row.text("lv_uuid"));
    HOLDFAST_TRY(const auto count, row.number<std::uint32_t>("stripes"));
    std::uint32_t& most = stripes[uuid];
    most = std::max(most, count);
    return {};
  }));
  return stripes;
}

Status read_volumes(const JsonObject& part, VolumeGroup& group) {
  HOLDFAST_TRY(const auto stripes, read_stripes(part));
  return for_each_row(part, "lv", [&](const Row& row) -> Status {
    HOLDFAST_TRY(LogicalVolume volume, read_volume(row));
    if (volume.name.starts_with('[')) {
      group.parts.push_back(std::move(volume.uuid));
      return {};
    }
    const auto found = stripes.find(volume.uuid);
    if (volume.layout == Layout::kStriped && found != stripes.end()) volume.stripes = found->second;
    group.volumes.push_back(std::move(volume));
    return {};
  });
}

// One part is one group, or the disks that are in none.
Status read_part(const JsonField& field, Inventory& inventory) {
  HOLDFAST_TRY(const JsonObject part, field.object());
  std::vector<VolumeGroup> groups;
  HOLDFAST_CHECK(for_each_row(part, "vg", [&groups](const Row& row) -> Status {
    HOLDFAST_TRY(VolumeGroup group, read_group(row));
    groups.push_back(std::move(group));
    return {};
  }));
  if (groups.size() > 1) return field.refuse("holds more than one volume group");
  std::vector<PhysicalVolume>& disks = groups.empty() ? inventory.loose_disks : groups[0].disks;
  HOLDFAST_CHECK(for_each_row(part, "pv", [&disks](const Row& row) -> Status {
    HOLDFAST_TRY(PhysicalVolume disk, read_disk(row));
    disks.push_back(std::move(disk));
    return {};
  }));
  if (groups.empty()) return {};
  HOLDFAST_CHECK(read_volumes(part, groups[0]));
  inventory.groups.push_back(std::move(groups[0]));
  return {};
}

Result<Inventory> read_report(std::string_view text) {
  HOLDFAST_TRY(const nlohmann::json document, parse_json(text, kReportLimits));
  HOLDFAST_TRY(const JsonObject report, JsonObject::of(document));
  HOLDFAST_TRY(const std::vector<JsonField> parts, report["report"].array());
  Inventory inventory;
  for (const JsonField& part : parts) HOLDFAST_CHECK(read_part(part, inventory));
  return inventory;
}

// Calls `take` with each row of a report of one volume. A column of segments makes a row of each segment of
// the volume, in a table of that name.
template <class Take>
Status for_each_row_of_volume(std::string_view text, Take take) {
  HOLDFAST_TRY(const nlohmann::json document, parse_json(text, kReportLimits));
  HOLDFAST_TRY(const JsonObject report, JsonObject::of(document));
  HOLDFAST_TRY(const std::vector<JsonField> parts, report["report"].array());
  for (const JsonField& field : parts) {
    HOLDFAST_TRY(const JsonObject part, field.object());
    for (const char* table : {"lv", "seg"}) HOLDFAST_CHECK(for_each_row(part, table, take));
  }
  return {};
}

Result<std::optional<LogicalVolume>> read_one_volume(std::string_view text) {
  std::optional<LogicalVolume> found;
  HOLDFAST_CHECK(for_each_row_of_volume(text, [&found](const Row& row) -> Status {
    HOLDFAST_TRY(LogicalVolume volume, read_volume(row));
    HOLDFAST_TRY(const auto stripes, row.number<std::uint32_t>("stripes"));
    if (volume.layout == Layout::kStriped) volume.stripes = stripes;
    if (found) volume.stripes = std::max(volume.stripes, found->stripes);
    found = std::move(volume);
    return {};
  }));
  return found;
}

Result<std::vector<VolumeSegment>> read_segments(std::string_view text) {
  std::vector<VolumeSegment> segments;
  HOLDFAST_CHECK(for_each_row_of_volume(text, [&segments](const Row& row) -> Status {
    VolumeSegment segment;
    HOLDFAST_TRY(segment.size_bytes, row.number<std::uint64_t>("seg_size"));
    HOLDFAST_TRY(const std::string places, row.text("seg_pe_ranges"));
    for (std::string_view rest = places; !rest.empty();) segment.places.emplace_back(take_until(rest, ' '));
    segments.push_back(std::move(segment));
    return {};
  }));
  return segments;
}

tl::unexpected<Error> unreadable(const Error& error) {
  return fail(Code::kInternal, "what LVM reports cannot be read: " + error.message);
}

// Without LVM's talk, which comes between the lines of a report too: "WARNING: Inconsistent metadata found
// for VG g.", "See vgck --updatemetadata to correct inconsistency.". The report's own all begin as JSON does.
std::string without_talk(std::string_view text) {
  constexpr std::string_view kBeginnings = "{}[],\"";
  std::string report;
  while (!text.empty()) {
    const std::string_view line = take_until(text, '\n');
    const std::string_view words = trim(line);
    if (words.empty() || kBeginnings.find(words.front()) == std::string_view::npos) continue;
    report.append(line).append(1, '\n');
  }
  return report;
}

}  // namespace

Result<Inventory> parse_inventory(std::string_view text) {
  auto inventory = read_report(without_talk(text));
  if (!inventory) return unreadable(inventory.error());
  return inventory;
}

Result<std::vector<VolumeSegment>> parse_segments(std::string_view text) {
  auto segments = read_segments(without_talk(text));
  if (!segments) return unreadable(segments.error());
  return segments;
}

Result<std::optional<LogicalVolume>> parse_volume(std::string_view text) {
  auto volume = read_one_volume(without_talk(text));
  if (!volume) return unreadable(volume.error());
  return volume;
}

}  // namespace holdfast::lvm
