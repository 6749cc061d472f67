#include "test/bench/cni/report.h"

#include <cstdarg>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace holdfast::bench {
namespace {

using nlohmann::json;

constexpr double kBinaryLimitBytes = 2.5e6;

double ratio(double ours, double peer) { return peer > 0 ? ours / peer : 0; }

json verb_json(const VerbFigures& ours, const VerbFigures& peer) {
  const auto side = [](const VerbFigures& figures) {
    return json{{"wall_ms", figures.wall.to_json()},
                {"cpu_ms", figures.cpu.to_json()},
                {"peak_rss_bytes", figures.peak_rss_bytes}};
  };
  return {{"ours", side(ours)},
          {"peer", side(peer)},
          {"wall_ratio", ratio(ours.wall.median_ms(), peer.wall.median_ms())},
          {"cpu_ratio", ratio(ours.cpu.median_ms(), peer.cpu.median_ms())}};
}

json storm_json(const StormFigures& storm) {
  return {{"add_ms", storm.add.to_json()}, {"del_ms", storm.del.to_json()}};
}

__attribute__((format(printf, 1, 2))) std::string line(const char* format, ...) {
  char text[512];
  va_list values;
  va_start(values, format);
  std::vsnprintf(text, sizeof text, format, values);
  va_end(values);
  return std::string(text) + "\n";
}

std::string figures_line(const char* name, const Figures& figures) {
  return line("%-34s %9.3f %9.3f %9.3f   n=%zu", name, figures.median_ms(), figures.percentile_ms(99),
              figures.percentile_ms(0), figures.count());
}

std::string side_lines(const std::string& who, const SideFigures& side) {
  const auto name = [&](const char* what) { return who + " " + what; };
  return figures_line(name("ADD wall").c_str(), side.add.wall) +
         figures_line(name("ADD cpu").c_str(), side.add.cpu) +
         figures_line(name("DEL wall").c_str(), side.del.wall) +
         figures_line(name("DEL cpu").c_str(), side.del.cpu) +
         figures_line(name("ADD wall, all at once").c_str(), side.storm.add) +
         figures_line(name("DEL wall, all at once").c_str(), side.storm.del) +
         line("%-34s ADD %.1f MiB, DEL %.1f MiB", name("peak memory").c_str(),
              static_cast<double>(side.add.peak_rss_bytes) / 1048576,
              static_cast<double>(side.del.peak_rss_bytes) / 1048576);
}

}  // namespace

std::vector<Bar> judge(const Outcome& out) {
  const double floor = out.fsync_append.median_ms();
  const SideFigures& ours = out.ours;
  const SideFigures& peer = out.peer;
  return {
      {"add_wall_ms", ours.add.wall.median_ms(), 0.35 * peer.add.wall.median_ms() + 2 * floor,
       "0.35 x peer's p50 + 2 fsync floors"},
      {"add_cpu_ms", ours.add.cpu.median_ms(), 0.2 * peer.add.cpu.median_ms(), "0.2 x peer's p50"},
      {"add_p99_ms", ours.add.wall.percentile_ms(99), 2 * ours.add.wall.median_ms(), "2 x our p50"},
      {"del_wall_ms", ours.del.wall.median_ms(), 1.1 * out.bare_delete.median_ms(),
       "1.1 x a bare link delete"},
      {"version_ms", out.version.median_ms(), 0.5, "0.5 ms"},
      {"binary_bytes", static_cast<double>(out.binary.bytes), kBinaryLimitBytes, "2.5 MB"},
      {"interpreters_needed", out.binary.is_static ? 0.0 : 1.0, 0.0, "a static program needs none"},
  };
}

json to_json(const Options& options, const Outcome& out, const std::vector<Bar>& bars) {
  json verdicts = json::array();
  for (const Bar& bar : bars) {
    verdicts.push_back({{"name", bar.name},
                        {"value", bar.value},
                        {"limit", bar.limit},
                        {"rule", bar.rule},
                        {"pass", bar.pass()}});
  }
  json checks = json::array();
  for (const Check& check : out.checks) {
    checks.push_back({{"name", check.name}, {"ok", check.ok}});
    if (!check.ok) checks.back()["detail"] = check.detail;
  }
  return {{"bench", "cni"},
          {"ours", options.ours.binary.string()},
          {"peer", options.peer.binary.string() + " + host-local"},
          {"pairs", options.pairs},
          {"fsync",
           {{"append_fdatasync_ms", out.fsync_append.to_json()},
            {"write_fsync_rename_ms", out.fsync_replace.to_json()},
            {"one_floor", "p50 of append_fdatasync_ms"}}},
          {"add", verb_json(out.ours.add, out.peer.add)},
          {"del", verb_json(out.ours.del, out.peer.del)},
          {"bare_delete_ms", out.bare_delete.to_json()},
          {"storm",
           {{"count", options.storm},
            {"ours", storm_json(out.ours.storm)},
            {"peer", storm_json(out.peer.storm)}}},
          {"version_ms", out.version.to_json()},
          {"binary", {{"bytes", out.binary.bytes}, {"static", out.binary.is_static}}},
          {"bars", verdicts},
          {"checks", checks}};
}

std::string to_table(const Options& options, const Outcome& out, const std::vector<Bar>& bars) {
  std::string text = line("ours: %s", options.ours.binary.c_str()) +
                     line("peer: %s + host-local, two processes", options.peer.binary.c_str()) +
                     line("%-34s %9s %9s %9s   milliseconds", "", "p50", "p99", "min") +
                     side_lines("ours", out.ours) + side_lines("peer", out.peer) +
                     figures_line("bare link delete", out.bare_delete) +
                     figures_line("ours VERSION wall", out.version) +
                     figures_line("append 300 B + fdatasync (a floor)", out.fsync_append) +
                     figures_line("write + fsync + rename", out.fsync_replace);
  for (const Bar& bar : bars) {
    text += line("%s  %-20s %12.3f  limit %12.3f  (%s)", bar.pass() ? "pass" : "MISS", bar.name.c_str(),
                 bar.value, bar.limit, bar.rule.c_str());
  }
  for (const Check& check : out.checks) {
    text += (check.ok ? "ok    " : "WRONG ") + check.name + (check.ok ? "" : ": " + check.detail) + "\n";
  }
  return text;
}

}  // namespace holdfast::bench
