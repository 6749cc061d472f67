#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "common/base/event_loop.h"

namespace holdfast {

/// A thread beside the event loop for what may block: a disk that is slow, a program that waits for a lock.
/// Jobs run one after the other, in the order in which they came.
class Worker {
 public:
  using Job = std::function<void()>;

  /// `loop` outlives it. The thread has the network namespace and the signal mask of the caller.
  explicit Worker(EventLoop& loop);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  /// Runs the jobs that are still waiting. What comes after them is not called, as the loop does not turn.
  ~Worker();

  /// Runs `job` on the thread, and then `done` on the event loop. What they share needs no lock.
  void run(Job job, EventLoop::Callback done);

 private:
  struct Entry {
    Job job;
    EventLoop::Callback done;
  };
  void work();

  EventLoop& loop_;
  std::mutex mutex_;  // guards queue_ and ending_
  std::condition_variable news_;
  std::deque<Entry> queue_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace holdfast
