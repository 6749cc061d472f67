#include "common/base/daemon_signals.h"

#include <csignal>
#include <memory>
#include <string>

#include "test/catch.h"
#include "test/fakes/fake_clock.h"

namespace holdfast {
namespace {

struct Daemon {
  test::FakeClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  DaemonSignals signals{*loop};
  std::string done;

  Daemon() { REQUIRE(signals.take()); }
  void serve() {
    signals.serve([this] { done += "looks "; }, [this] { done += "ends "; });
  }
  void send(int number) const {
    ::raise(number);
    REQUIRE(loop->turn());
  }
  /// Once it is, no more is asked of it.
  bool is_stopped() {
    bool runs = false;
    loop->post([&] {
      runs = true;
      loop->stop();
    });
    REQUIRE(loop->run());
    return !runs;
  }
};

TEST_CASE_METHOD(Daemon, "a daemon that does not serve yet is ended by a signal, and not by SIGHUP",
                 "[signals]") {
  send(SIGHUP);
  CHECK_FALSE(is_stopped());
  send(GENERATE(SIGTERM, SIGINT));
  CHECK(is_stopped());
}

TEST_CASE_METHOD(Daemon, "a daemon that serves looks again at SIGHUP, and has time for its end",
                 "[signals]") {
  serve();
  send(SIGHUP);
  send(SIGHUP);
  CHECK(done == "looks looks ");
  send(GENERATE(SIGTERM, SIGINT));
  CHECK(done == "looks looks ends ");
  send(SIGHUP);
  CHECK(done == "looks looks ends looks ");
  CHECK_FALSE(is_stopped());
}

TEST_CASE_METHOD(Daemon, "a second signal ends a daemon at once", "[signals]") {
  serve();
  send(SIGTERM);
  send(GENERATE(SIGTERM, SIGINT));
  CHECK(done == "ends ");
  CHECK(is_stopped());
}

}  // namespace
}  // namespace holdfast
