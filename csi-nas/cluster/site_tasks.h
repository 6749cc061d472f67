#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/kube/http.h"
#include "common/kube/object_cache.h"
#include "common/kube/object_client.h"
#include "common/kube/watcher.h"
#include "csi-nas/cluster/holder_sights.h"
#include "csi-nas/cluster/task_call.h"
#include "csi-nas/cluster/task_object.h"
#include "csi-nas/controller/site_work.h"

namespace holdfast::nas {

/// The controller's half of work at sites: NasTask objects, which nodes do (SiteAgent).
///
///     none -> open, waits for a node -> open, held by one -> done or failed -> none: its answer was taken
///
/// A call that is cut off anywhere is made again and goes on. An answer is handed out only after its task is
/// gone, so that no other call can take it too. Other work on the same directory is waited for; its answer,
/// for which nobody asks any more, is dropped. Answers that nobody takes are dropped after a while.
///
/// Watches all NasTasks. Belongs to the loop's thread, but for SiteWork's calls, which are for others.
class SiteTasks final : public SiteWork {
 public:
  struct Options {
    /// After so long without a node's sign of life a site counts as without one.
    std::chrono::milliseconds no_node_after{45'000};
    std::chrono::milliseconds keep_answers{3'600'000};
    std::chrono::milliseconds tick{1'000};
    std::uint64_t seed = 0;  ///< another for every process
  };
  /// All outlive it. `http` is for watches alone, another than that of `client`.
  struct Context {
    EventLoop& loop;
    kube::Http& http;
    kube::ObjectClient& client;
    Logger& log;
  };

  SiteTasks(const Context& context, Options options);
  SiteTasks(const SiteTasks&) = delete;
  SiteTasks& operator=(const SiteTasks&) = delete;
  ~SiteTasks() override = default;

  void start();
  /// The program ends: all calls end with kUnavailable, and those that come from now on too. Their tasks go
  /// on.
  void end();

  Result<std::string> run(const SiteOrder& order, std::chrono::milliseconds patience) override;
  [[nodiscard]] std::string trouble(const std::string& site) const override;

 private:
  using Done = std::function<void(Result<std::string>)>;

  void begin(const std::string& name, const SiteOrder& order, std::chrono::milliseconds patience, Done done);
  void step_all();
  void step_soon();
  void task_changed(const std::string& name);
  void tick();
  void look_for_trouble();
  void drop_old_answers();
  void drop(const std::string& name);
  /// Whom an open task waits for.
  [[nodiscard]] std::string state_of(const TaskObject& task) const;
  [[nodiscard]] bool is_forsaken(const TaskObject& task) const;
  [[nodiscard]] std::chrono::nanoseconds now() const { return context_.loop.clock().since_boot(); }

  Context context_;
  Options options_;
  kube::ObjectCache<TaskObject> cache_;
  kube::Watcher watcher_;
  HolderSights sights_;
  std::map<std::string, std::chrono::nanoseconds> answered_;  // tasks that ended, since when, by name
  std::map<std::string, kube::ObjectClient::CallPtr> drops_;  // removals of answers nobody took, by name
  std::list<std::unique_ptr<TaskCall>> calls_;
  bool ending_ = false;
  EventLoop::Timer soon_;
  EventLoop::Timer tick_;
  mutable std::mutex mutex_;                     // guards troubles_
  std::map<std::string, std::string> troubles_;  // by site
};

}  // namespace holdfast::nas
