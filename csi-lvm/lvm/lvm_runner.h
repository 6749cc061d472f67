#pragma once

#include <chrono>
#include <string>

#include "common/base/result.h"
#include "csi-lvm/lvm/lvm_command.h"

namespace holdfast::lvm {

/// What a command said.
struct LvmAnswer {
  bool succeeded = false;
  std::string output;  ///< reports
  std::string
      talk;  ///< warnings and errors, for people; which error it was is read from the state, not from here
};

/// Runs LVM commands, one at a time. Not thread-safe: LvmQueue is what threads share.
class LvmRunner {
 public:
  LvmRunner() = default;
  LvmRunner(const LvmRunner&) = delete;
  LvmRunner& operator=(const LvmRunner&) = delete;
  virtual ~LvmRunner() = default;

  /// Runs it to its end. A command that fails is an answer, not an error. A report that takes longer than
  /// `patience` is killed; a command that changes something is waited for as long as it takes. Errors:
  /// kInvalidArgument of check_command(); kDeadlineExceeded of a report; kUnavailable when the command could
  /// not be started: it changed nothing; kAborted when it was lost on its way: it may have changed something.
  virtual Result<LvmAnswer> run(const LvmCommand& command, std::chrono::milliseconds patience) = 0;

  /// Nothing is asked for: what is kept at hand only to be quick may go.
  virtual void rest() {}
};

}  // namespace holdfast::lvm
