#pragma once

#include <chrono>
#include <map>
#include <string>

#include "csi-nas/cluster/task_object.h"

namespace holdfast::nas {

/// How long the holders of tasks have been silent, by this process's own clock: no time that another wrote is
/// believed. The time before a task was seen first here, and that in which the server could not be heard,
/// does not count.
class HolderSights {
 public:
  using Time = std::chrono::nanoseconds;  ///< since boot

  /// The task as it is known now. Of one that is as it was seen last nothing changes.
  void saw(const TaskObject& task, Time now);
  void forget(const std::string& task) { seen_.erase(task); }
  /// The server cannot be heard.
  void heard_nothing(Time now);

  /// When the task was last seen to change hands or be renewed; of one that was not seen, now.
  [[nodiscard]] Time last_sign(const std::string& task, Time now) const;

 private:
  struct Sight {
    std::string uid;
    std::string holder;
    std::int64_t epoch = 0;
    std::int64_t renewals = 0;
    Time at{};
  };
  std::map<std::string, Sight> seen_;  // by the object's name
};

}  // namespace holdfast::nas
