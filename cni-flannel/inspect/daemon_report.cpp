#include "cni-flannel/inspect/daemon_report.h"

#include <algorithm>
#include <utility>

#include "cni-flannel/daemon/conditions.h"

namespace holdfast::flannel {
namespace {

constexpr std::uint16_t kUsualPort = 8081;

/// Where it is asked; nullopt when it serves nothing.
std::optional<http::ListenAddress> place_of(const DaemonRun& run) {
  http::ListenAddress out{.address = {}, .port = kUsualPort};
  if (run.options) out = {run.options->healthz_ip, run.options->healthz_port};
  if (out.port == 0) return std::nullopt;
  return out;
}

/// Whether it is to be mended. Without a store all is well today, and the next start has no network; what
/// flannel-controller finds keeps others from reaching this node.
bool is_harmful(const UnmetCondition& one) {
  return !one.ready_all_the_same || one.type == kStateStored.type || one.type == kControllerFindsFault.type;
}

std::string process(const DaemonReport& daemon) { return "runs, process " + std::to_string(daemon.run->pid); }

}  // namespace

bool DaemonReport::lacks(std::string_view type) const {
  return std::ranges::find(unmet, type, &UnmetCondition::type) != unmet.end();
}

DaemonReport inspect_daemon(Clock& clock, std::optional<DaemonRun> run) {
  DaemonReport out{.run = std::move(run)};
  if (!out.run) return out;
  const std::optional<http::ListenAddress> place = place_of(*out.run);
  if (!place) {
    out.silence = "it tells its conditions only when it is started with --healthz-port";
    return out;
  }
  ConditionPage page = ask_conditions(clock, *place);
  out.silence = std::move(page.silence);
  out.ready = page.ready;
  out.unmet = std::move(page.unmet);
  return out;
}

bool is_of_another(Files& files, const DaemonReport& daemon, const std::filesystem::path& state_dir) {
  if (daemon.told()) return false;
  const Result<std::vector<std::string>> names = files.list(state_dir);
  const auto is_store = [](const std::string& name) { return name.starts_with("overlay.json"); };
  return names && std::ranges::none_of(*names, is_store);
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
    out.push_back({is_harmful(one) ? Verdict::kWrong : Verdict::kDoubtful, "flanneld: " + one.type, one.why});
  }
  return out;
}

bool is_well(const DaemonReport& daemon) {
  return !daemon.told() || (daemon.ready && std::ranges::none_of(daemon.unmet, is_harmful));
}

std::string state_of(const DaemonReport& daemon) {
  if (!daemon.run) return "does not run";
  if (!daemon.told()) return process(daemon) + "; " + daemon.silence;
  const auto first = std::ranges::find_if(daemon.unmet, [&](const UnmetCondition& one) {
    return daemon.ready ? is_harmful(one) : !one.ready_all_the_same;
  });
  const std::string why = first == daemon.unmet.end() ? "" : first->type + ": " + first->why;
  if (daemon.ready) return why.empty() ? "ready" : "ready, but " + why;
  return why.empty() ? "not ready" : "not ready: " + why;
}

}  // namespace holdfast::flannel
