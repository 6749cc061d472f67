#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "common/base/event_loop.h"
#include "common/kube/object_cache.h"
#include "common/kube/object_client.h"
#include "csi-nas/cluster/task_object.h"

namespace holdfast::nas {

/// A call of the controller that has a task done and takes its answer. Belongs to the event loop. One that is
/// not done in its time ends with kAborted: the same call goes on from where it is.
class TaskCall {
 public:
  /// All outlive it.
  struct Tools {
    EventLoop& loop;
    kube::ObjectClient& client;
    kube::ObjectCache<TaskObject>& cache;
    std::function<std::string(const TaskObject&)> state_of;  ///< of an open task, for people
  };
  using Done = std::function<void(Result<std::string>)>;

  /// What it waits for beyond its patience: that a task is gone whose answer it has.
  static constexpr std::chrono::seconds kToTake{3};

  TaskCall(Tools tools, std::string name, SiteOrder order, std::chrono::nanoseconds patience, Done done);
  TaskCall(const TaskCall&) = delete;
  TaskCall& operator=(const TaskCall&) = delete;
  ~TaskCall() = default;

  /// Looks at the task, and does what is next.
  void step();
  /// Ends it, unless it has.
  void give_up(Error error) {
    if (!ended_) end(tl::unexpected(std::move(error)));
  }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  void create();
  void remove(const TaskObject& task);
  void read();
  void failed(const Error& error);
  void out_of_time();
  void look_again(std::chrono::nanoseconds delay);
  void end(Result<std::string> result);

  Tools tools_;
  std::string name_;
  SiteOrder order_;
  Done done_;
  bool ended_ = false;
  bool taking_ = false;
  std::string waits_for_ = "the API server";
  kube::ObjectClient::CallPtr call_;
  EventLoop::Timer again_;
  EventLoop::Timer deadline_;
};

}  // namespace holdfast::nas
