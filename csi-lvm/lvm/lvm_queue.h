#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "csi-lvm/lvm/lvm_runner.h"

namespace holdfast::lvm {

/// Lets many threads share one LvmRunner. Commands run one at a time, those that change something before
/// reports, else in the order in which they came. A report that waits is shared by all who ask for the same:
/// it begins after each of them asked. Changes that may join are run as one command with the first of them
/// when its turn comes. Thread-safe.
class LvmQueue {
 public:
  /// The runner rests after `idle` without a command.
  explicit LvmQueue(std::unique_ptr<LvmRunner> runner,
                    std::chrono::milliseconds idle = std::chrono::seconds{30});
  LvmQueue(const LvmQueue&) = delete;
  LvmQueue& operator=(const LvmQueue&) = delete;
  /// Waits for the command that runs, if one does that nobody waits for any more. No thread may be in run().
  ~LvmQueue();

  /// Runs it and waits for it, `patience` at most. Errors: those of LvmRunner::run(); kDeadlineExceeded when
  /// patience ended: a command that had not begun never will, and a change that had begun goes on to its end
  /// (the message says which).
  Result<LvmAnswer> run(LvmCommand command, std::chrono::milliseconds patience);

  struct Load {
    std::size_t askers = 0;               ///< threads in run()
    std::size_t waiting = 0;              ///< commands that have not begun
    std::chrono::milliseconds running{};  ///< since when the command at work has been, 0 when none is
  };
  [[nodiscard]] Load load() const;

 private:
  using SteadyClock = std::chrono::steady_clock;
  struct Job {
    LvmCommand command;
    std::chrono::milliseconds patience;
    int askers = 1;
    bool begun = false;
    std::optional<Result<LvmAnswer>> answer;
    std::condition_variable answered;  // its own, so that an answer wakes nobody else
  };

  std::shared_ptr<Job> enter(LvmCommand command, std::chrono::milliseconds patience);
  Result<LvmAnswer> leave(const std::shared_ptr<Job>& job);
  void work();
  using Jobs = std::vector<std::shared_ptr<Job>>;
  void perform(std::unique_lock<std::mutex>& lock, const Jobs& jobs);
  Jobs take_next();

  std::unique_ptr<LvmRunner> runner_;  // of the thread alone
  std::chrono::milliseconds idle_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable news_;
  std::deque<std::shared_ptr<Job>> changes_;
  std::deque<std::shared_ptr<Job>> reports_;
  std::size_t askers_ = 0;
  std::optional<SteadyClock::time_point> running_since_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace holdfast::lvm
