#pragma once

#include <chrono>
#include <string>

#include "common/base/exec.h"
#include "csi-lvm/lvm/lvm_runner.h"

namespace holdfast::lvm {

/// Starts the host's `lvm` for each command: slower than a WorkerRunner, and independent of the library's
/// version.
class ExecRunner final : public LvmRunner {
 public:
  /// `executor` outlives it; `program` is the path of lvm(8).
  ExecRunner(Executor& executor, std::string program);
  Result<LvmAnswer> run(const LvmCommand& command, std::chrono::milliseconds patience) override;

 private:
  Executor& executor_;
  std::string program_;
};

}  // namespace holdfast::lvm
