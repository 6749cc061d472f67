#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "common/base/event_loop.h"
#include "common/base/fd.h"
#include "common/base/files.h"
#include "common/base/log.h"
#include "common/base/result.h"

namespace holdfast::gateway {

/// How long a program waits for the one before it. Longer than a pod may take to end, and shorter than
/// systemd waits for a start.
inline constexpr std::chrono::seconds kOtherEnds{60};

/// Of which program there is to be one.
struct SoleProgram {
  std::string name{};                 ///< "egw-access"
  std::filesystem::path state_dir{};  ///< where it keeps what outlives it
};

/// Held while a program runs: two would take tunnels, routes and rules from each other, wherever they keep
/// their state; and two in different network namespaces the state of one folder. Ends with the process, also
/// when it is killed.
struct SoleRun {
  Fd name;  ///< an abstract socket, which a network namespace has once; none where a stranger has it
  Fd lock;  ///< on <state_dir>/<name>.lock; none where nothing can be written, which is no reason not to run
};

/// Errors: kUnavailable, naming who has the network namespace or the folder, and the cure. A name that a user
/// has taken who is neither root nor ours keeps nobody from running: it is told in the log.
/// Source: unix(7), "Abstract sockets" and "SO_PEERCRED".
Result<SoleRun> claim_sole_run(Files& files, Logger& log, const SoleProgram& program);

/// The same, but that it waits, up to `patience`, for one that ends: a pod is made anew while the old one has
/// not ended, and takes over as soon as that has, or was killed. nullopt: a signal asked this program to end
/// meanwhile. Blocks the loop's thread, on which nothing else runs so far.
Result<std::optional<SoleRun>> wait_for_sole_run(EventLoop& loop, Files& files, Logger& log,
                                                 const SoleProgram& program,
                                                 std::chrono::nanoseconds patience = kOtherEnds);

}  // namespace holdfast::gateway
