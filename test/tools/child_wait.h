#pragma once

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <optional>

#include "common/base/result.h"

namespace holdfast::test {

/// Keeps SIGCHLD blocked in the calling thread, which wait_child() needs, for the object's life.
class SigchldBlock {
 public:
  SigchldBlock();
  SigchldBlock(const SigchldBlock&) = delete;
  SigchldBlock& operator=(const SigchldBlock&) = delete;
  ~SigchldBlock();

 private:
  sigset_t before_{};
};

/// What wait4(2) told of a child.
struct ChildChange {
  pid_t pid = -1;
  int status = 0;
  rusage usage{};
};

/// The next change of any child; nullopt when there is no child. `flags` as for wait4(2).
/// Errors: kDeadlineExceeded.
Result<std::optional<ChildChange>> wait_child(int flags, std::chrono::steady_clock::time_point deadline);

/// The exit code as a shell tells it: 128 + signal when a signal ended the child.
[[nodiscard]] int exit_code_of(int status);

}  // namespace holdfast::test
