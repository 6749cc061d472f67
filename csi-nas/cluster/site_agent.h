#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "common/base/backoff.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/worker.h"
#include "common/kube/http.h"
#include "common/kube/object_cache.h"
#include "common/kube/object_client.h"
#include "common/kube/watcher.h"
#include "csi-nas/cluster/holder_sights.h"
#include "csi-nas/cluster/site_worker.h"
#include "csi-nas/cluster/task_object.h"

namespace holdfast::nas {

/// A node's part in the work at its site: takes the site's NasTasks, one node each, and does them.
///
///     open --taken: holder and epoch written over the state that was seen--> held, renewed --> done or
///     failed
///
/// Only one node acts at a time. A holder acts for `lead` from before its last renewal was sent, by its own
/// clock; then what it has begun is killed. Others take a task when they have seen no renewal for `lease`,
/// by theirs, in which times without a watch do not count. The lease is looked at before each order to the
/// share; a node that was stopped meanwhile begins nothing more, and cannot write what it found: each write
/// names the state that it answers. What was begun twice all the same does no harm (share_volumes.h).
///
/// A node whose share does not answer keeps a task for `pass_on` and then leaves it to others for `rest`.
///
/// Watches the NasTasks of its site. Belongs to the event loop; shares and work are used on a thread of its
/// own.
class SiteAgent {
 public:
  struct Options {
    std::string node{};
    std::string site{};
    std::chrono::milliseconds renew{5'000};
    std::chrono::milliseconds lead{15'000};
    std::chrono::milliseconds lease{25'000};      ///< more than `lead`, by the time that a killed child takes
    std::chrono::milliseconds spread{300};        ///< within which the nodes of a site try to take a task
    std::chrono::milliseconds look{250};          ///< between looks at a work that is under way
    std::chrono::milliseconds first_wait{1'000};  ///< bounds of the waits for a share that does not answer
    std::chrono::milliseconds longest_wait{15'000};
    std::chrono::milliseconds pass_on{30'000};
    std::chrono::milliseconds rest{60'000};
    std::size_t most_tasks = 8;  ///< held at a time
    std::uint64_t seed = 0;      ///< another for every process
  };
  /// All outlive it. `http` is for watches alone, another than that of `client`.
  struct Context {
    EventLoop& loop;
    kube::Http& http;
    kube::ObjectClient& client;
    ShareAccess& shares;
    DirectoryWork& work;
    Logger& log;
  };

  SiteAgent(const Context& context, Options options);
  SiteAgent(const SiteAgent&) = delete;
  SiteAgent& operator=(const SiteAgent&) = delete;
  /// Waits for the look that is under way, and gives up what was begun.
  ~SiteAgent();

  void start();
  /// Tasks that this node holds.
  [[nodiscard]] std::size_t held() const { return held_.size(); }

 private:
  using Time = std::chrono::nanoseconds;  // since boot

  /// A task that this node holds, or held until its answer is written.
  struct Held {
    std::string uid;
    std::string place;
    std::int64_t epoch = 0;
    std::shared_ptr<TaskLease> lease;  // shared with the thread
    Time renew_at{};
    Time work_at{};
    bool working = false;
    std::string progress = {};
    std::optional<Time> silent_since = {};   // the share did not answer since
    std::optional<TaskStatus> outcome = {};  // how it ended here, to be written
    Backoff backoff;
  };
  /// When there is something to do next.
  class Next;

  void task_changed(const std::string& name);
  void turn();
  void turn_soon();
  void look_at(const TaskObject& task, Next& next);
  void tend(const TaskObject& task, Held& held, Next& next);
  [[nodiscard]] std::size_t taken() const;
  void consider(const TaskObject& task, Next& next);
  void take(const TaskObject& task);
  void renew(const TaskObject& task, const Held& held);
  void tell_outcome(const TaskObject& task, const Held& held);
  void write(const TaskObject& task, const TaskStatus& status, std::function<void()> kept);
  void not_written(const kube::ObjectId& id, const Error& why);
  void work(const TaskObject& task, Held& held);
  void worked(const std::string& name, std::int64_t epoch, const Result<std::string>& outcome);
  void not_answered(Held& held, const Error& why);
  void lose(const std::string& name);
  [[nodiscard]] bool is_ours(const TaskObject& task, const Held& held) const;
  [[nodiscard]] Time free_at(const TaskObject& task) const;
  [[nodiscard]] Time waits_until(const std::string& name) const;
  [[nodiscard]] Time now() const { return context_.loop.clock().since_boot(); }

  Context context_;
  Options options_;
  kube::ObjectCache<TaskObject> cache_;
  kube::Watcher watcher_;
  HolderSights sights_;
  std::map<std::string, Held> held_;                          // by the object's name
  std::map<std::string, kube::ObjectClient::CallPtr> calls_;  // writes on their way, likewise
  std::map<std::string, Time> not_before_;  // another write, or another taking of one that was passed on
  std::uint64_t next_seed_;
  EventLoop::Timer next_turn_;
  // Shared with what the thread still hands over when this has ended: then nothing is called.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<Worker> worker_;
};

}  // namespace holdfast::nas
