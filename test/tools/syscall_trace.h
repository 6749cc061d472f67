#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "test/tools/change_points.h"

namespace holdfast::test {

/// Where the traced program stands when it is killed: just before or just after point `number` (from 1).
struct KillAt {
  std::size_t number = 0;
  bool after = false;
};

struct TraceRequest {
  std::vector<std::string> argv;  ///< argv[0] is the path of the program
  std::vector<std::string> env;   ///< "NAME=VALUE"
  int in_fd = 0;
  int out_fd = 1;
  int err_fd = 2;
  std::optional<KillAt> kill_at;
  /// Called at the stop of `kill_at` before anything is killed.
  std::function<void(const ChangePoint&)> before_kill;
  std::chrono::seconds patience{60};
};

struct TraceEnd {
  std::vector<ChangePoint> points;  ///< in order, those up to the kill; other threads may be ahead of it
  bool killed = false;              ///< kill_at was reached
  int exit_code = -1;               ///< of the program itself; 128 + signal when a signal ended it
  std::uint64_t peak_rss_bytes =
      0;  ///< of the largest of its processes (ru_maxrss would tell the tracer's own size)
};

/// Runs a program and everything it starts under ptrace(2) and counts the system calls that change something.
/// Killed are the program and all its threads and children, at a system-call stop: a call killed "before" has
/// not been executed. Only one trace at a time in a process, and no other children meanwhile. Errors:
/// kDeadlineExceeded (everything is killed), kUnimplemented for what can not be traced.
Result<TraceEnd> trace(const TraceRequest& request);

}  // namespace holdfast::test
