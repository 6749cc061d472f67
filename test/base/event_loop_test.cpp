#include "common/base/event_loop.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <optional>
#include <string>
#include <thread>

#include "test/catch.h"
#include "test/fakes/fake_clock.h"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

struct SocketPair {
  Fd near;
  Fd far;

  SocketPair() {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0);
    near.reset(ends[0]);
    far.reset(ends[1]);
  }
  void send() const { REQUIRE(::write(far.get(), "x", 1) == 1); }
  void receive() const {
    char c = 0;
    REQUIRE(::read(near.get(), &c, 1) == 1);
  }
};

std::unique_ptr<EventLoop> make_loop(Clock& clock) {
  auto loop = EventLoop::create(clock);
  REQUIRE(loop);
  return *std::move(loop);
}

EventLoop::Watch watch_for_reading(EventLoop& loop, int fd, EventLoop::ReadyCallback ready) {
  auto watch = loop.watch(fd, {.readable = true}, std::move(ready));
  REQUIRE(watch);
  return *std::move(watch);
}

TEST_CASE("a descriptor is told each turn for as long as it is ready", "[event_loop]") {
  test::FakeClock clock;
  const auto loop = make_loop(clock);
  const SocketPair pair;
  int told = 0;
  const auto watch = watch_for_reading(*loop, pair.near.get(), [&](Readiness ready) {
    CHECK(ready == Readiness{.readable = true});
    ++told;
  });
  REQUIRE(loop->turn());
  CHECK(told == 0);
  pair.send();
  REQUIRE(loop->turn());
  REQUIRE(loop->turn());
  CHECK(told == 2);
  pair.receive();
  REQUIRE(loop->turn());
  CHECK(told == 2);
}

TEST_CASE("what a descriptor is watched for can be changed, and a watch can be moved and ended",
          "[event_loop]") {
  test::FakeClock clock;
  const auto loop = make_loop(clock);
  const SocketPair pair;
  Readiness told;
  auto first = watch_for_reading(*loop, pair.near.get(), [&](Readiness ready) { told = ready; });
  EventLoop::Watch watch = std::move(first);
  REQUIRE(watch.change({.writable = true}));
  REQUIRE(loop->turn());
  CHECK(told == Readiness{.writable = true});
  pair.send();
  REQUIRE(watch.change({.readable = true, .writable = true}));
  REQUIRE(loop->turn());
  CHECK(told == Readiness{.readable = true, .writable = true});
  told = {};
  watch.end();
  CHECK_FALSE(watch.active());
  REQUIRE(loop->turn());
  CHECK(told == Readiness{});
}

TEST_CASE("the end of a stream is told to who reads and to who writes", "[event_loop]") {
  test::FakeClock clock;
  const auto loop = make_loop(clock);
  SocketPair pair;
  Readiness told;
  auto watch = watch_for_reading(*loop, pair.near.get(), [&](Readiness ready) { told = ready; });
  pair.far.reset();
  REQUIRE(loop->turn());
  CHECK(told.readable);
  REQUIRE(watch.change({.writable = true}));
  told = {};
  REQUIRE(loop->turn());
  CHECK(told.writable);
}

TEST_CASE("a descriptor is watched once, and only one that can be", "[event_loop]") {
  test::FakeClock clock;
  const auto loop = make_loop(clock);
  const SocketPair pair;
  const auto watch = watch_for_reading(*loop, pair.near.get(), [](Readiness) {});
  const auto again = loop->watch(pair.near.get(), {.readable = true}, [](Readiness) {});
  REQUIRE_FALSE(again);
  CHECK(again.error().code == Code::kAlreadyExists);
  const Fd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const auto regular = loop->watch(file.get(), {.readable = true}, [](Readiness) {});
  REQUIRE_FALSE(regular);
  CHECK(regular.error().code == Code::kPermissionDenied);
}

TEST_CASE("a callback may end its own watch and that of another which is ready in the same turn",
          "[event_loop]") {
  test::FakeClock clock;
  const auto loop = make_loop(clock);
  const std::array<SocketPair, 2> pairs;
  std::array<EventLoop::Watch, 2> watches;
  int told = 0;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    watches[i] = watch_for_reading(*loop, pairs[i].near.get(), [&, text = std::string(100, 'x')](Readiness) {
      watches[0].end();
      watches[1].end();
      told += static_cast<int>(text.size());  // what the callback holds is still there
    });
    pairs[i].send();
  }
  REQUIRE(loop->turn());
  REQUIRE(loop->turn());
  CHECK(told == 100);
}

TEST_CASE("a new watch of a descriptor number gets nothing of the one that had it before", "[event_loop]") {
  test::FakeClock clock;
  const auto loop = make_loop(clock);
  const std::array<SocketPair, 2> pairs;
  std::array<EventLoop::Watch, 2> watches;
  std::string told;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    watches[i] = watch_for_reading(*loop, pairs[i].near.get(), [&, i](Readiness) {
      const std::size_t other = 1 - i;
      pairs[other].receive();
      watches[other].end();
      watches[other] = watch_for_reading(*loop, pairs[other].near.get(), [&](Readiness) { told += "new"; });
      watches[i].end();
      told += "old ";
    });
    pairs[i].send();
  }
  REQUIRE(loop->turn());
  REQUIRE(loop->turn());
  CHECK(told == "old ");
}

TEST_CASE("timers run once, in the order of their times, when the clock has reached them", "[event_loop]") {
  test::FakeClock clock;
  const auto loop = make_loop(clock);
  std::string order;
  const auto late = loop->after(2s, [&] { order += "late "; });
  const auto early = loop->after(1s, [&] { order += "early "; });
  const auto also_early = loop->after(1s, [&] { order += "second "; });
  auto ended = loop->after(1s, [&] { order += "ended "; });
  ended.end();
  REQUIRE(loop->turn());
  CHECK(order.empty());
  CHECK(early.pending());
  clock.advance(1s);
  REQUIRE(loop->turn());
  CHECK(order == "early second ");
  CHECK_FALSE(early.pending());
  CHECK(late.pending());
  clock.advance(1h);
  REQUIRE(loop->turn());
  REQUIRE(loop->turn());
  CHECK(order == "early second late ");
}

TEST_CASE("a timer may set itself again, and does not keep descriptors from their turn", "[event_loop]") {
  test::FakeClock clock;
  const auto loop = make_loop(clock);
  const SocketPair pair;
  pair.send();
  bool told = false;
  const auto watch = watch_for_reading(*loop, pair.near.get(), [&](Readiness) { told = true; });
  int ticks = 0;
  EventLoop::Timer timer;
  std::function<void()> tick = [&] {
    ++ticks;
    timer = loop->after(0s, tick);
  };
  timer = loop->after(-1s, tick);
  REQUIRE(loop->turn());
  CHECK(ticks == 1);
  CHECK(told);
  REQUIRE(loop->turn());
  CHECK(ticks == 2);
}

TEST_CASE("run() sleeps until a timer of the real clock and ends with stop()", "[event_loop]") {
  SystemClock clock;
  const auto loop = make_loop(clock);
  const auto begin = clock.since_boot();
  const auto timer = loop->after(5ms, [&] { loop->stop(); });
  REQUIRE(loop->run());
  CHECK(clock.since_boot() - begin >= 5ms);
  loop->stop();
  REQUIRE(loop->run());  // at once: nothing would end it
}

TEST_CASE("a turn waits no longer than it is told to", "[event_loop]") {
  SystemClock clock;
  const auto loop = make_loop(clock);
  bool due = false;
  const auto timer = loop->after(1h, [&] { due = true; });
  const auto begin = clock.since_boot();
  REQUIRE(loop->turn(3ms));
  CHECK(clock.since_boot() - begin >= 3ms);
  CHECK(clock.since_boot() - begin < 10s);
  CHECK_FALSE(due);
}

TEST_CASE("work posted by other threads runs on the loop's, all of it", "[event_loop]") {
  SystemClock clock;
  const auto loop = make_loop(clock);
  constexpr int kEach = 500;
  int done = 0;  // not atomic: only the loop's thread touches it
  const auto work = [&] {
    for (int i = 0; i < kEach; ++i) {
      loop->post([&] {
        if (++done == 2 * kEach) {
          loop->stop();
        }
      });
    }
  };
  std::thread one(work);
  std::thread other(work);
  REQUIRE(loop->run());
  one.join();
  other.join();
  CHECK(done == 2 * kEach);
}

TEST_CASE("signals come as events, and the mask is as before when they end", "[event_loop]") {
  test::FakeClock clock;
  const auto loop = make_loop(clock);
  std::string told;
  {
    const auto signals =
        loop->on_signals({SIGUSR1, SIGUSR2}, [&](int number) { told += std::to_string(number) + " "; });
    REQUIRE(signals);
    ::raise(SIGUSR2);
    ::raise(SIGUSR1);
    REQUIRE(loop->turn());
    REQUIRE(loop->turn());
    CHECK(told == std::to_string(SIGUSR1) + " " + std::to_string(SIGUSR2) + " ");
  }
  sigset_t mask;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  CHECK(::sigismember(&mask, SIGUSR1) == 0);
}

}  // namespace
}  // namespace holdfast
