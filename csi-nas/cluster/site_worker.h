#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "csi-nas/controller/share_access.h"
#include "csi-nas/controller/site_work.h"
#include "csi-nas/directories/directory_jobs.h"

namespace holdfast::nas {

/// Until when a node may act on a task that it holds, by its own clock. Written by the event loop, read by
/// the thread that works.
class TaskLease {
 public:
  using Time = std::chrono::nanoseconds;  ///< since boot

  void extend(Time until) { until_ = until.count(); }
  /// Ours no more.
  void end() { until_ = 0; }
  [[nodiscard]] Time until() const { return Time(until_); }
  [[nodiscard]] bool is_over(Time now) const { return now >= until(); }

 private:
  std::atomic<std::int64_t> until_ = 0;
};

struct SiteWorkTools {
  ShareAccess& shares;
  DirectoryWork& work;
  Clock& clock;
};

/// One look at a task's work on this node, which begins it when it has not: mounts its share, and asks
/// DirectoryWork. Blocks for some seconds at most. Nothing is begun when the lease is over, and what was
/// begun while it ended is given up. Errors: as parse_source(), ShareAccess::mounted_at and
/// DirectoryWork::run; kUnavailable when the share cannot be mounted; kAborted when the lease is over.
Result<std::string> look_at_work(const SiteWorkTools& tools, const SiteOrder& spec, const std::string& place,
                                 const TaskLease& lease);

}  // namespace holdfast::nas
