#include "csi-lvm/nrm/plan_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "common/base/json.h"
#include "common/base/text.h"
#include "csi-lvm/nrm/plan.h"

namespace holdfast::nrm {
namespace {

constexpr std::size_t kMostBytes = std::size_t{4} << 20;
constexpr std::size_t kLongestField = 1024;
constexpr Action kTroubles[] = {Action::kMissing, Action::kDegraded, Action::kRefuse, Action::kFailed};

bool is_trouble_word(std::string_view word) {
  return std::ranges::any_of(kTroubles, [word](Action action) { return to_string(action) == word; });
}

// Names of disks and entries may hold anything.
Result<std::string> field(const JsonObject& row, const char* name) {
  HOLDFAST_TRY(const std::string text, row[name].string_or(""));
  return printable(text, kLongestField);
}

Result<PlanLine> read_line(const JsonField& row) {
  HOLDFAST_TRY(const JsonObject fields, row.object());
  PlanLine line;
  HOLDFAST_TRY(line[0], field(fields, "entry"));
  HOLDFAST_TRY(const std::string device, field(fields, "device"));
  HOLDFAST_TRY(const std::string selector, field(fields, "selector"));
  line[1] = device.empty() ? selector : device;
  HOLDFAST_TRY(line[2], field(fields, "identity"));
  HOLDFAST_TRY(line[3], field(fields, "action"));
  HOLDFAST_TRY(line[4], field(fields, "reason"));
  return line;
}

Result<PlanReport> read_plan(std::string_view text) {
  HOLDFAST_TRY(const nlohmann::json document, parse_json(text, {.max_bytes = kMostBytes, .max_depth = 8}));
  HOLDFAST_TRY(const JsonObject plan, JsonObject::of(document));
  HOLDFAST_TRY(const std::string time, field(plan, "time"));
  HOLDFAST_TRY(const std::string trouble, field(plan, "trouble"));
  HOLDFAST_TRY(const std::vector<JsonField> rows, plan["rows"].array_or_empty());
  std::vector<PlanLine> lines;
  for (const JsonField& row : rows) {
    HOLDFAST_TRY(PlanLine line, read_line(row));
    lines.push_back(std::move(line));
  }
  const bool well = trouble.empty() && std::ranges::none_of(lines, [](const PlanLine& line) {
                      return is_trouble_word(line[3]);
                    });
  std::string out = "node resources, as of " + time + "\n";
  if (!trouble.empty()) out.append("WRONG: ").append(trouble).append("\n");
  out += lines.empty() ? "no entry is for this node\n" : table_of(std::move(lines));
  return PlanReport{.text = std::move(out), .well = well};
}

}  // namespace

std::string table_of(std::vector<PlanLine> lines) {
  lines.insert(lines.begin(), {"ENTRY", "DEVICE", "IDENTITY", "ACTION", "REASON"});
  std::array<std::size_t, 5> widths{};
  for (const PlanLine& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const PlanLine& line : lines) {
    for (std::size_t i = 0; i + 1 < line.size(); ++i) {
      text.append(line[i]).append(widths[i] + 2 - line[i].size(), ' ');
    }
    text.append(line.back()).append("\n");
  }
  return text;
}

PlanReport report_plan(Files& files, const std::filesystem::path& state_dir) {
  const std::filesystem::path path = state_dir / "plan.json";
  const auto text = files.read(path, kMostBytes);
  if (text && !*text) return {};
  const auto plan = text ? read_plan(**text) : Result<PlanReport>(tl::unexpected(text.error()));
  if (plan) return *plan;
  return {.text = "node resources: " + path.native() + " cannot be read: " + plan.error().message + "\n",
          .well = false};
}

}  // namespace holdfast::nrm
