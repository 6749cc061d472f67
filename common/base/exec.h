#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast {

/// A program to run, without a shell.
struct Command {
  std::vector<std::string> argv;         ///< argv[0] is the program's path; PATH is not searched
  std::vector<std::string> environment;  ///< "KEY=VALUE", all that the program gets
  std::string input;                     ///< its standard input
  std::chrono::milliseconds deadline{};  ///< from its start; then its whole process group is killed
  std::size_t max_output_bytes = std::size_t{1} << 20;  ///< kept of each of the two outputs
};

/// How a program ended.
struct CommandResult {
  int exit_status = 0;  ///< 0..255; 0 when a signal ended it
  int signal = 0;       ///< 0 when it ended by itself
  std::string output;
  std::string errors;
  bool truncated = false;           ///< an output was longer than was kept
  std::chrono::microseconds cpu{};  ///< user and system time of the program and of those it waited for

  [[nodiscard]] bool succeeded() const { return exit_status == 0 && signal == 0; }
};

/// Runs programs. The tests' one answers without running any.
class Executor {
 public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor() = default;

  /// Runs it to its end. A program that fails is an answer, not an error. What it left behind may go on
  /// running, and is waited for only as long as it takes to see that nothing more is written. Errors:
  /// kDeadlineExceeded; kNotFound, kPermissionDenied or another errno's when it cannot be started (also a
  /// script whose interpreter is missing); kInvalidArgument for an empty argv or a path without a slash.
  virtual Result<CommandResult> run(const Command& command) = 0;
};

/// The real one. The program starts by posix_spawn(3) (no copy of our memory), in a process group of its own,
/// with all signals at their default and no descriptor but 0, 1 and 2. Stateless; may be used from any
/// thread.
class SystemExecutor final : public Executor {
 public:
  Result<CommandResult> run(const Command& command) override;
};

/// Where the host keeps a program of this name, or "" when it does not: its own folders for programs only,
/// whatever PATH says.
[[nodiscard]] std::string find_system_program(std::string_view name);

}  // namespace holdfast
