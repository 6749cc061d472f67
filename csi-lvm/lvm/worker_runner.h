#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "common/base/fd.h"
#include "csi-lvm/lvm/lvm_runner.h"

namespace holdfast::lvm {

/// Keeps one `lvmcmd` process, started when the first command comes and ended by rest().
///
///     none --run--> ready --run--> busy --answer--> ready --rest--> none
///                                   | a report is late: killed; the process died --> none
///
/// A command that is to run apart gets a process for itself.
///
/// When we die, the worker finishes what it does and ends: a change is never left half done by our death.
class WorkerRunner final : public LvmRunner {
 public:
  /// `program` is the path of lvmcmd.
  explicit WorkerRunner(std::string program);
  WorkerRunner(const WorkerRunner&) = delete;
  WorkerRunner& operator=(const WorkerRunner&) = delete;
  ~WorkerRunner() override;
  Result<LvmAnswer> run(const LvmCommand& command, std::chrono::milliseconds patience) override;
  void rest() override;

  /// The worker's process, 0 when there is none.
  [[nodiscard]] pid_t process() const { return process_; }

 private:
  Status start();
  Result<LvmAnswer> exchange(const LvmCommand& command, std::chrono::milliseconds patience);
  void end();
  void kill_and_end();

  std::string program_;
  pid_t process_ = 0;
  Fd channel_;
};

}  // namespace holdfast::lvm
