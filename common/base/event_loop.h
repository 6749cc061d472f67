#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast {

/// What a descriptor is watched for, or was found to be.
struct Readiness {
  bool readable = false;  ///< also at the end of the stream and after an error: reading tells which
  bool writable = false;
  bool operator==(const Readiness&) const = default;
};

/// The one event thread of a daemon: descriptors (epoll, level-triggered), timers and signals. All callbacks
/// run on the thread that calls run() or turn(), one after the other; one that blocks holds up all others.
///
/// What is watched or timed is held by a Watch or a Timer, and ends with it. Both may be destroyed at any
/// time, also in a callback, also in their own; nothing is called after that. They must not outlive the loop.
/// Not thread-safe but for post().
///
/// Time is that of `clock`, whose since_boot() does not jump and counts while the machine is suspended. With
/// a fake clock use turn(), which does not wait: timers are due when the clock has been moved.
///
/// Source: epoll(7), timerfd_create(2), signalfd(2), eventfd(2).
class EventLoop {
 public:
  using Callback = std::function<void()>;
  using ReadyCallback = std::function<void(Readiness)>;

  class Watch;
  class Timer;
  class Signals;

  /// `clock` outlives the loop. Errors: errno (EMFILE, ENOMEM).
  [[nodiscard]] static Result<std::unique_ptr<EventLoop>> create(Clock& clock);
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop() = default;

  /// Calls `ready` each turn in which `fd` is what it is watched for. `fd` stays the caller's and is closed
  /// after the Watch has ended. A hang-up and an error are told even when nothing is asked for. Errors:
  /// kInvalidArgument or kPermissionDenied for a descriptor that cannot be watched (a regular file),
  /// kAlreadyExists for one that is.
  [[nodiscard]] Result<Watch> watch(int fd, Readiness interest, ReadyCallback ready);

  /// Calls `due` once, `delay` from now, at the earliest in the next turn. Timers run in the order of their
  /// times.
  [[nodiscard]] Timer after(std::chrono::nanoseconds delay, Callback due);

  /// Calls `arrived` with the number of each of these signals instead of what they did before; they are
  /// blocked for this thread and those it makes later, so call it before there are any. The old mask is back
  /// when the Signals end.
  [[nodiscard]] Result<Signals> on_signals(std::initializer_list<int> numbers,
                                           std::function<void(int)> arrived);

  /// Calls `work` in the next turn. May be called from any thread.
  void post(Callback work);

  /// Turns until stop(). Errors: errno of epoll_wait(2).
  Status run();
  /// run() ends with the turn that it is in; the next one, when none is running, at once.
  void stop() { stopped_ = true; }
  /// One turn: waits up to `patience` for something to be ready or due, and calls what is.
  Status turn(std::chrono::nanoseconds patience = {});

  [[nodiscard]] Clock& clock() { return clock_; }

 private:
  using Key = std::uint64_t;  // never used twice
  using TimerKey =
      std::pair<std::chrono::nanoseconds, Key>;  // due (since boot), and the order of their making

  EventLoop(Clock& clock, Fd epoll, Fd timer, Fd wakeup);

  Status control(int operation, int fd, Readiness interest, Key key);
  Status arm(std::chrono::nanoseconds patience);
  Status wait_and_call();
  void call_ready(Key key, std::uint32_t events);
  void call_due();
  void call_posted();

  Clock& clock_;
  Fd epoll_;
  Fd timer_;
  Fd wakeup_;
  bool stopped_ = false;
  Key last_key_ = 0;
  // Shared, because a callback may end its own Watch and must exist until it returns.
  std::unordered_map<Key, std::shared_ptr<const ReadyCallback>> watches_;
  std::map<TimerKey, Callback> timers_;
  std::mutex mutex_;  // guards posted_
  std::vector<Callback> posted_;
};

/// A descriptor being watched.
class EventLoop::Watch {
 public:
  Watch() = default;
  Watch(Watch&& other) noexcept
      : loop_(std::exchange(other.loop_, nullptr)), fd_(other.fd_), key_(std::move(other.key_)) {}
  Watch& operator=(Watch&& other) noexcept;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { end(); }

  Status change(Readiness interest);
  void end();
  [[nodiscard]] bool active() const { return loop_ != nullptr; }

 private:
  friend class EventLoop;
  Watch(EventLoop* loop, int fd, Key key) : loop_(loop), fd_(fd), key_(key) {}

  EventLoop* loop_ = nullptr;
  int fd_ = -1;
  Key key_ = 0;
};

/// A call to come. After it has come, ending does nothing.
class EventLoop::Timer {
 public:
  Timer() = default;
  Timer(Timer&& other) noexcept : loop_(std::exchange(other.loop_, nullptr)), key_(std::move(other.key_)) {}
  Timer& operator=(Timer&& other) noexcept;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { end(); }

  void end();
  /// The call has neither come nor been ended.
  [[nodiscard]] bool pending() const { return loop_ != nullptr && loop_->timers_.contains(key_); }

 private:
  friend class EventLoop;
  Timer(EventLoop* loop, TimerKey key) : loop_(loop), key_(std::move(key)) {}

  EventLoop* loop_ = nullptr;
  TimerKey key_{};
};

/// Signals that arrive as events.
class EventLoop::Signals {
 public:
  Signals(Signals&&) noexcept = default;
  Signals& operator=(Signals&&) = delete;
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals() = default;

 private:
  friend class EventLoop;
  struct RestoresMask;
  using Mask = std::unique_ptr<RestoresMask, void (*)(RestoresMask*)>;
  Signals(Mask mask, Fd fd, Watch watch)
      : mask_(std::move(mask)), fd_(std::move(fd)), watch_(std::move(watch)) {}

  Mask mask_;
  Fd fd_;
  Watch watch_;
};

}  // namespace holdfast
