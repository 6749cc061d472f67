#pragma once

#include <optional>

#include "common/base/event_loop.h"

namespace holdfast {

/// What a daemon does about SIGTERM, SIGINT (which is the same here) and SIGHUP.
///
///                       before serve()      from serve() on
///     SIGHUP            nothing             `look_again`
///     SIGTERM           stops the loop      `end`, which stops the loop when all is done that is to be
///     a second SIGTERM  stops the loop      stops the loop: who sends it waits for nothing
///
/// A loop that was stopped before it runs ends at once. Lives on the loop's thread.
class DaemonSignals {
 public:
  /// `loop` outlives it.
  explicit DaemonSignals(EventLoop& loop) : loop_(loop) {}
  DaemonSignals(const DaemonSignals&) = delete;
  DaemonSignals& operator=(const DaemonSignals&) = delete;
  ~DaemonSignals() = default;

  /// Before any thread is made: threads that are there take signals of their own. Errors: those of
  /// EventLoop::on_signals().
  Status take();
  /// What both work with outlives the loop's run.
  void serve(EventLoop::Callback look_again, EventLoop::Callback end);

 private:
  void arrived(int number);

  EventLoop& loop_;
  EventLoop::Callback look_again_;
  EventLoop::Callback end_;
  bool ending_ = false;
  std::optional<EventLoop::Signals> signals_;
};

}  // namespace holdfast
