#include "common/base/event_loop.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <string>

namespace holdfast {
namespace {

using std::chrono::nanoseconds;

// Keys of what the loop itself watches; those of others are larger.
constexpr std::uint64_t kTimerKey = 1;
constexpr std::uint64_t kWakeupKey = 2;
constexpr std::size_t kEventsATurn = 64;  // the rest is found in the next turn
constexpr int kLooksOnly = 0;
constexpr int kWaits = -1;

epoll_event event_for(Readiness interest, std::uint64_t key) {
  epoll_event event{};
  event.events = (interest.readable ? std::uint32_t{EPOLLIN | EPOLLRDHUP} : 0U) |
                 (interest.writable ? std::uint32_t{EPOLLOUT} : 0U);
  event.data.u64 = key;
  return event;
}

// An error or a hang-up is told as whatever the descriptor was watched for: the next read or write gets it.
Readiness readiness_of(std::uint32_t events) {
  const bool over = (events & (EPOLLERR | EPOLLHUP)) != 0;
  return {.readable = over || (events & (EPOLLIN | EPOLLRDHUP)) != 0,
          .writable = over || (events & EPOLLOUT) != 0};
}

void drain(int fd) {
  std::uint64_t count = 0;
  static_cast<void>(::read(fd, &count, sizeof(count)));
}

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::create(Clock& clock) {
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) {
    return fail_errno(errno, "make an event loop");
  }
  Fd timer(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid()) {
    return fail_errno(errno, "make the timer of an event loop");
  }
  Fd wakeup(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wakeup.valid()) {
    return fail_errno(errno, "make the wake-up of an event loop");
  }
  std::unique_ptr<EventLoop> loop(
      new EventLoop(clock, std::move(epoll), std::move(timer), std::move(wakeup)));
  HOLDFAST_CHECK(loop->control(EPOLL_CTL_ADD, loop->timer_.get(), {.readable = true}, kTimerKey));
  HOLDFAST_CHECK(loop->control(EPOLL_CTL_ADD, loop->wakeup_.get(), {.readable = true}, kWakeupKey));
  return loop;
}

EventLoop::EventLoop(Clock& clock, Fd epoll, Fd timer, Fd wakeup)
    : clock_(clock),
      epoll_(std::move(epoll)),
      timer_(std::move(timer)),
      wakeup_(std::move(wakeup)),
      last_key_(kWakeupKey) {}

Status EventLoop::control(int operation, int fd, Readiness interest, Key key) {
  epoll_event event = event_for(interest, key);
  if (::epoll_ctl(epoll_.get(), operation, fd, &event) != 0) {
    return fail_errno(errno, "watch descriptor " + std::to_string(fd));
  }
  return {};
}

Result<EventLoop::Watch> EventLoop::watch(int fd, Readiness interest, ReadyCallback ready) {
  const Key key = ++last_key_;
  HOLDFAST_CHECK(control(EPOLL_CTL_ADD, fd, interest, key));
  watches_.emplace(key, std::make_shared<const ReadyCallback>(std::move(ready)));
  return Watch(this, fd, key);
}

EventLoop::Timer EventLoop::after(nanoseconds delay, Callback due) {
  const TimerKey key{clock_.since_boot() + std::max(delay, nanoseconds::zero()), ++last_key_};
  timers_.emplace(key, std::move(due));
  return {this, key};
}

void EventLoop::post(Callback work) {
  const std::lock_guard lock(mutex_);
  posted_.push_back(std::move(work));
  const std::uint64_t one = 1;
  static_cast<void>(::write(wakeup_.get(), &one, sizeof(one)));  // fails only when it is already awake
}

Status EventLoop::run() {
  while (!stopped_) {
    HOLDFAST_CHECK(turn(nanoseconds::max()));
  }
  stopped_ = false;
  return {};
}

Status EventLoop::turn(nanoseconds patience) {
  if (!timers_.empty()) {
    patience =
        std::min(patience, std::max(nanoseconds::zero(), timers_.begin()->first.first - clock_.since_boot()));
  }
  std::array<epoll_event, kEventsATurn> events{};
  if (patience > nanoseconds::zero()) {
    HOLDFAST_CHECK(arm(patience));
  }
  const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsATurn,
                                 patience > nanoseconds::zero() ? kWaits : kLooksOnly);
  if (count < 0 && errno != EINTR) {
    return fail_errno(errno, "wait for events");
  }
  call_due();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events.at(static_cast<std::size_t>(i));
    call_ready(event.data.u64, event.events);
  }
  return {};
}

// The timer wakes epoll_wait(2) with more than its milliseconds' precision, and in time after a suspend.
Status EventLoop::arm(nanoseconds patience) {
  itimerspec setting{};  // zero: never
  if (patience != nanoseconds::max()) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(patience);
    setting.it_value.tv_sec = seconds.count();
    setting.it_value.tv_nsec = (patience - seconds).count();
  }
  if (::timerfd_settime(timer_.get(), 0, &setting, nullptr) != 0) {
    return fail_errno(errno, "set the timer of an event loop");
  }
  return {};
}

void EventLoop::call_ready(Key key, std::uint32_t events) {
  if (key == kTimerKey) {
    drain(timer_.get());
    return;
  }
  if (key == kWakeupKey) {
    call_posted();
    return;
  }
  const auto found = watches_.find(key);
  if (found == watches_.end()) {
    return;  // ended by a callback of this turn
  }
  const std::shared_ptr<const ReadyCallback> ready = found->second;
  (*ready)(readiness_of(events));
}

// Only those that were there when it began, so that timers that set timers leave the descriptors their turn.
void EventLoop::call_due() {
  const TimerKey last{clock_.since_boot(), last_key_};
  while (!timers_.empty() && timers_.begin()->first <= last) {
    const auto timer = timers_.extract(timers_.begin());
    timer.mapped()();
  }
}

void EventLoop::call_posted() {
  drain(wakeup_.get());
  std::vector<Callback> work;
  {
    const std::lock_guard lock(mutex_);
    work.swap(posted_);
  }
  for (const Callback& callback : work) {
    callback();
  }
}

EventLoop::Watch& EventLoop::Watch::operator=(Watch&& other) noexcept {
  if (this != &other) {
    end();
    loop_ = std::exchange(other.loop_, nullptr);
    fd_ = other.fd_;
    key_ = other.key_;
  }
  return *this;
}

Status EventLoop::Watch::change(Readiness interest) {
  return loop_->control(EPOLL_CTL_MOD, fd_, interest, key_);
}

void EventLoop::Watch::end() {
  if (EventLoop* loop = std::exchange(loop_, nullptr); loop != nullptr) {
    loop->watches_.erase(key_);
    static_cast<void>(::epoll_ctl(loop->epoll_.get(), EPOLL_CTL_DEL, fd_, nullptr));
  }
}

EventLoop::Timer& EventLoop::Timer::operator=(Timer&& other) noexcept {
  if (this != &other) {
    end();
    loop_ = std::exchange(other.loop_, nullptr);
    key_ = other.key_;
  }
  return *this;
}

void EventLoop::Timer::end() {
  if (EventLoop* loop = std::exchange(loop_, nullptr); loop != nullptr) {
    loop->timers_.erase(key_);
  }
}

struct EventLoop::Signals::RestoresMask {
  sigset_t old{};
};

Result<EventLoop::Signals> EventLoop::on_signals(std::initializer_list<int> numbers,
                                                 std::function<void(int)> arrived) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : numbers) {
    ::sigaddset(&set, number);
  }
  Signals::Mask mask(new Signals::RestoresMask, [](Signals::RestoresMask* held) {
    ::pthread_sigmask(SIG_SETMASK, &held->old, nullptr);
    delete held;
  });
  ::pthread_sigmask(SIG_BLOCK, &set, &mask->old);
  Fd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) {
    return fail_errno(errno, "take signals as events");
  }
  HOLDFAST_TRY(Watch seen, watch(fd.get(), {.readable = true},
                                 [number = fd.get(), arrived = std::move(arrived)](Readiness) {
                                   signalfd_siginfo info{};
                                   if (::read(number, &info, sizeof(info)) == sizeof(info)) {
                                     arrived(static_cast<int>(info.ssi_signo));
                                   }
                                 }));
  return Signals(std::move(mask), std::move(fd), std::move(seen));
}

}  // namespace holdfast
