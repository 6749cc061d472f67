#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/base/worker.h"
#include "common/block/uevents.h"
#include "csi-lvm/nrm/config_source.h"
#include "csi-lvm/nrm/resource_pass.h"

namespace holdfast::nrm {

/// Keeps a node's volume groups and quotapaths as its configuration wants them, for as long as it lives. A
/// pass is made when the configuration came or changed, when a disk came or changed, and now and then; of one
/// pass at a time, on a thread of its own.
///
/// What the last pass found stands in <state_dir>/plan.json, for people and `holdfast status`:
///
///     {"node", "time", "trouble", "rows": [{"entry", "selector", "device", "identity", "action", "reason"}]}
///
/// Metrics: holdfast_nrm_passes_total{outcome="ok|trouble"}, holdfast_nrm_changes_total,
/// holdfast_nrm_rows{action}, holdfast_nrm_pass_seconds (of the last one).
class NodeResourceManager {
 public:
  struct Options {
    std::string node;
    std::filesystem::path state_dir;
    bool dry_run = false;
    std::chrono::seconds interval{60};  ///< between passes that nothing asked for
  };
  /// After each pass, from the loop.
  using Passed = std::function<void(const PassResult&)>;

  /// All outlive it. The loop's signals must be set up before.
  NodeResourceManager(EventLoop& loop, ResourcePass::Ports ports, Logger& log, Metrics& metrics,
                      Options options, Passed passed);
  NodeResourceManager(const NodeResourceManager&) = delete;
  NodeResourceManager& operator=(const NodeResourceManager&) = delete;
  /// Waits for the pass that runs.
  ~NodeResourceManager();

  /// Hears of disks from now on. Errors: errno of the kernel's socket.
  Status start();
  /// No pass begins any more; one that runs goes on.
  void stop();
  /// From the first of these on there are passes. A node without the label kHostnameLabel has its name there.
  void configure(const NodeConfig& config);
  void look_again();

  /// The last pass could plan.
  [[nodiscard]] bool ready() const { return last_ && last_->trouble.empty(); }
  /// nullptr before the first has ended.
  [[nodiscard]] const PassResult* last() const { return last_ ? &*last_ : nullptr; }

 private:
  void heard();
  void pass_after(std::chrono::milliseconds delay);
  void begin();
  void ended(PassResult result);
  void tell_log(const PassResult& result);
  void tell_metrics(const PassResult& result);
  void write_plan(const PassResult& result);

  EventLoop& loop_;
  Files& files_;
  Logger& log_;
  Metrics& metrics_;
  Options options_;
  Passed passed_;
  ResourcePass pass_;  // of the worker's thread while running_
  std::optional<Topology> own_;
  std::optional<PassResult> last_;
  std::map<std::string, std::string> told_;  // trouble that was logged, by entry and selector
  std::string written_;                      // the plan without its time
  std::optional<block::UeventMonitor> uevents_;
  EventLoop::Watch uevents_ready_;
  EventLoop::Timer due_;
  std::chrono::nanoseconds began_{};
  bool running_ = false;
  bool again_ = false;
  bool stopped_ = false;
  std::unique_ptr<Worker> worker_;
};

}  // namespace holdfast::nrm
