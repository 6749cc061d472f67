#include "cni-flannel/inspect/daemon_report.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "cni-flannel/daemon/conditions.h"
#include "cni-flannel/inspect/page_reader.h"
#include "common/base/text.h"

namespace holdfast::flannel {
namespace {

constexpr std::chrono::seconds kPatience{1};
constexpr std::uint16_t kUsualPort = 8081;
constexpr std::string_view kAllTheSame = " (ready all the same)";

/// Where it is asked; nullopt when it serves nothing.
struct Place {
  IpAddress address;
  std::uint16_t port = kUsualPort;
};
std::optional<Place> place_of(const DaemonRun& run) {
  Place out{IpAddress::v4({127, 0, 0, 1})};
  if (!run.options) return out;
  if (run.options->healthz_port == 0) return std::nullopt;
  out.port = run.options->healthz_port;
  const IpAddress& told = run.options->healthz_ip;
  const bool everywhere = std::ranges::all_of(told.bytes(), [](std::uint8_t byte) { return byte == 0; });
  if (!everywhere) out.address = told;
  return out;
}

std::string process(const DaemonReport& daemon) { return "runs, process " + std::to_string(daemon.run->pid); }

}  // namespace

bool DaemonReport::lacks(std::string_view type) const {
  return std::ranges::find(unmet, type, &UnmetCondition::type) != unmet.end();
}

std::vector<UnmetCondition> parse_unmet(std::string_view page) {
  constexpr std::string_view kUnmet = "[-]";
  std::vector<UnmetCondition> out;
  while (!page.empty()) {
    std::string_view line = take_until(page, '\n');
    if (!line.starts_with(kUnmet)) continue;
    line.remove_prefix(kUnmet.size());
    UnmetCondition one;
    one.type = take_until(line, ' ');
    static_cast<void>(take_until(line, ' '));  // "failed:" or "found:"
    one.ready_all_the_same = line.ends_with(kAllTheSame);
    if (one.ready_all_the_same) line.remove_suffix(kAllTheSame.size());
    one.why = line;
    out.push_back(std::move(one));
  }
  return out;
}

DaemonReport inspect_daemon(Clock& clock, std::optional<DaemonRun> run) {
  DaemonReport out{.run = std::move(run)};
  if (!out.run) return out;
  const std::optional<Place> place = place_of(*out.run);
  if (!place) {
    out.silence = "it tells its conditions only when it is started with --healthz-port";
    return out;
  }
  const Result<WebPage> page = read_page(clock, place->address, place->port, "/readyz?verbose", kPatience);
  if (!page) {
    out.silence = "it does not answer at " + place->address.to_string() + " port " +
                  std::to_string(place->port) + " (" + page.error().message + "); see its log";
    return out;
  }
  out.ready = page->status == 200;
  out.unmet = parse_unmet(page->body);
  return out;
}

std::vector<Finding> daemon_findings(const DaemonReport& daemon) {
  if (!daemon.run) {
    return {
        {Verdict::kDoubtful, "flanneld",
         "does not run here: what is in the kernel keeps working, but nothing follows changes; start it"}};
  }
  if (!daemon.told()) {
    const bool serves = !daemon.run->options || daemon.run->options->healthz_port != 0;
    return {
        {serves ? Verdict::kDoubtful : Verdict::kWell, "flanneld", process(daemon) + "; " + daemon.silence}};
  }
  std::vector<Finding> out = {{daemon.ready ? Verdict::kWell : Verdict::kWrong, "flanneld",
                               process(daemon) + (daemon.ready ? ", ready" : ", and is not ready:")}};
  for (const UnmetCondition& one : daemon.unmet) {
    // this alone does no harm today, and takes the network away at the next start
    const bool harmless = one.ready_all_the_same && one.type != kStateStored.type;
    out.push_back({harmless ? Verdict::kDoubtful : Verdict::kWrong, "flanneld: " + one.type, one.why});
  }
  return out;
}

std::string state_of(const DaemonReport& daemon) {
  if (!daemon.run) return "does not run";
  if (!daemon.told()) return process(daemon) + "; " + daemon.silence;
  const auto first = std::ranges::find(daemon.unmet, false, &UnmetCondition::ready_all_the_same);
  if (daemon.ready) return "ready";
  return first == daemon.unmet.end() ? "not ready" : "not ready: " + first->type + ": " + first->why;
}

}  // namespace holdfast::flannel
