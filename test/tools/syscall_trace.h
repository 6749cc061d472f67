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

/// A part of the traced program's life, in which points are numbered from 1: one of the calls that a daemon
/// serves.
struct Stretch {
  std::string name;
  std::optional<KillAt> kill_at;
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
  bool count_execs = false;        ///< starts of programs are points too
  bool kill_program_only = false;  ///< what it started is left to itself, and no longer traced
  std::string leave = {};          ///< a started program of this name is neither counted nor killed
  /// Only calls that may be change points stop what is traced: many times faster. All that was started stays
  /// traced to its end then, also when the program was killed alone.
  bool filter = false;
  /// The program is gone, killed alone as asked for; with `filter` what it started may go on.
  std::function<void()> on_killed = nullptr;
  /// Asked at each point which stretch it belongs to; another name than at the last point begins a new one.
  /// Its `kill_at` is obeyed in place of the request's.
  std::function<Stretch()> stretch = nullptr;
  /// Told of each point as it is counted, with its number in its stretch.
  std::function<void(const Stretch&, std::size_t number, const ChangePoint&)> on_point = nullptr;
  std::chrono::seconds patience{60};
};

struct TraceEnd {
  /// In order, those up to the kill; other threads may be ahead of it. Of the last stretch only.
  std::vector<ChangePoint> points;
  bool killed = false;  ///< kill_at was reached
  int exit_code = -1;   ///< of the program itself; 128 + signal when a signal ended it
  std::uint64_t peak_rss_bytes =
      0;  ///< of the largest of its processes (ru_maxrss would tell the tracer's own size)
};

/// Runs a program and everything it starts under ptrace(2) and counts the system calls that change something.
/// Killed are the program and all its threads and, unless it is asked otherwise, its children, at a
/// system-call stop: a call killed "before" has not been executed (one that a child of a killed program
/// stands before is executed then). Returns when the last of them that it follows has ended. Only one trace
/// at a time in a process, and no other children meanwhile. Errors: kDeadlineExceeded (everything is killed),
/// kUnimplemented for what can not be traced.
Result<TraceEnd> trace(const TraceRequest& request);

}  // namespace holdfast::test
