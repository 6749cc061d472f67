#include "csi-lvm/nrm/node_resource_manager.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

#include "common/base/json.h"
#include "common/base/state_file.h"

namespace holdfast::nrm {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kSettles{
    500};                                       // a disk that comes is told with its partitions, in bursts
constexpr std::chrono::milliseconds kStep{10};  // between the steps of what takes several passes
constexpr Action kActions[] = {Action::kKept,   Action::kCreate,   Action::kExtend, Action::kAdopt,
                               Action::kWait,   Action::kMount,    Action::kSkip,   Action::kMissing,
                               Action::kFailed, Action::kDegraded, Action::kRefuse};

// What stands on groups of ours comes and goes with every volume.
bool concerns_disks(const block::Uevent& event) {
  const auto* device = std::get_if<block::DeviceEvent>(&event);
  return device == nullptr || !device->kernel_name.starts_with("dm-");
}

json row_object(const PlanRow& row) {
  return {{"entry", row.entry},       {"selector", row.selector},        {"device", row.device},
          {"identity", row.identity}, {"action", to_string(row.action)}, {"reason", row.reason}};
}

}  // namespace

NodeResourceManager::NodeResourceManager(EventLoop& loop, ResourcePass::Ports ports, Logger& log,
                                         Metrics& metrics, Options options, Passed passed)
    : loop_(loop),
      files_(ports.files),
      log_(log),
      metrics_(metrics),
      options_(std::move(options)),
      passed_(std::move(passed)),
      pass_(ports, options_.state_dir),
      worker_(std::make_unique<Worker>(loop)) {}

NodeResourceManager::~NodeResourceManager() = default;

Status NodeResourceManager::start() {
  HOLDFAST_TRY(block::UeventMonitor monitor, block::UeventMonitor::open());
  uevents_ = std::move(monitor);
  HOLDFAST_TRY(uevents_ready_,
               loop_.watch(uevents_->fd(), {.readable = true}, [this](Readiness) { heard(); }));
  return {};
}

void NodeResourceManager::stop() {
  stopped_ = true;
  due_.end();
  uevents_ready_.end();
}

void NodeResourceManager::heard() {
  const auto events = uevents_->read();
  if (!events) return log_.warning("events of disks cannot be read", {{"error", events.error().message}});
  if (std::ranges::any_of(*events, concerns_disks)) pass_after(kSettles);
}

void NodeResourceManager::configure(const NodeConfig& config) {
  NodeLabels labels = config.labels;
  labels.try_emplace(kHostnameLabel, options_.node);
  own_ = parse_topology(config.data).of_node(labels);
  log_.info("configured", {{"volume_groups", own_->groups.size()},
                           {"quotapaths", own_->quota_paths.size()},
                           {"rejected", own_->rejected.size()}});
  look_again();
}

void NodeResourceManager::look_again() { pass_after({}); }

void NodeResourceManager::pass_after(std::chrono::milliseconds delay) {
  if (!own_ || stopped_) return;
  if (running_) {
    again_ = true;
    return;
  }
  due_ = loop_.after(delay, [this] { begin(); });
}

void NodeResourceManager::begin() {
  running_ = true;
  began_ = loop_.clock().since_boot();
  auto result = std::make_shared<PassResult>();  // of the thread, and then of the loop
  worker_->run([this, result, own = *own_] { *result = pass_.run(own, options_.dry_run); },
               [this, result] { ended(std::move(*result)); });
}

void NodeResourceManager::ended(PassResult result) {
  running_ = false;
  tell_log(result);
  tell_metrics(result);
  write_plan(result);
  last_ = std::move(result);
  if (passed_) passed_(*last_);
  const bool again = std::exchange(again_, false);
  if (again) return pass_after(kSettles);
  pass_after(last_->again_soon ? kStep : std::chrono::milliseconds(options_.interval));
}

void NodeResourceManager::tell_log(const PassResult& result) {
  for (const std::string& line : result.done) log_.info(line);
  if (!result.trouble.empty() && (!last_ || last_->trouble != result.trouble)) {
    log_.error("the node's disks cannot be looked at", {{"error", result.trouble}});
  }
  std::map<std::string, std::string> trouble;
  for (const PlanRow& row : result.rows) {
    if (!is_trouble(row.action)) continue;
    const std::string key = row.entry + " " + row.selector;
    const auto told = told_.find(key);
    if (told == told_.end() || told->second != row.reason) {
      log_.warning(
          to_string(row.action),
          {{"entry", row.entry}, {"selector", row.selector}, {"device", row.device}, {"why", row.reason}});
    }
    trouble[key] = row.reason;
  }
  told_ = std::move(trouble);
}

void NodeResourceManager::tell_metrics(const PassResult& result) {
  metrics_
      .counter("holdfast_nrm_passes_total", "Passes of the node-resource-manager.",
               {{"outcome", result.trouble.empty() ? "ok" : "trouble"}})
      .add();
  metrics_
      .counter("holdfast_nrm_changes_total", "Volume groups made, extended or taken in, and folders mounted.")
      .add(static_cast<double>(result.done.size()));
  const std::chrono::duration<double> took = loop_.clock().since_boot() - began_;
  metrics_.gauge("holdfast_nrm_pass_seconds", "How long the last pass took.").set(took.count());
  for (const Action action : kActions) {
    metrics_
        .gauge("holdfast_nrm_rows", "Disks that the configuration names, by what became of them.",
               {{"action", std::string(to_string(action))}})
        .set(static_cast<double>(std::ranges::count(result.rows, action, &PlanRow::action)));
  }
}

void NodeResourceManager::write_plan(const PassResult& result) {
  if (options_.dry_run) return;  // a folder is another's, who does what he plans
  json rows = json::array();
  for (const PlanRow& row : result.rows) rows.push_back(row_object(row));
  json plan = {{"node", options_.node}, {"trouble", result.trouble}, {"rows", std::move(rows)}};
  std::string text = dump_json(plan, 1);
  if (text == written_) return;
  plan["time"] = utc_text(loop_.clock().now());
  Status done = files_.make_folders(options_.state_dir, 0700);
  if (done) done = replace_file(files_, options_.state_dir / "plan.json", dump_json(plan, 1) + "\n", 0644);
  if (!done) return log_.warning("the plan cannot be written", {{"error", done.error().message}});
  written_ = std::move(text);
}

}  // namespace holdfast::nrm
