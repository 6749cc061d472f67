#include "egw-gateway/sole_run/sole_run.h"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <string>

#include "test/catch.h"
#include "test/fakes/log_lines.h"
#include "test/fakes/temporary_folder.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;
using holdfast::test::FreshNetns;
using holdfast::test::LogLines;
using holdfast::test::TemporaryFolder;

/// A process that holds what `claim` takes until it is killed, or has ended after `lives`.
class Holder {
 public:
  Holder(const std::function<bool()>& claim, std::chrono::milliseconds lives = 60s) {
    int ready[2] = {};
    REQUIRE(::pipe(ready) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      const char word = claim() ? 'y' : 'n';
      static_cast<void>(::write(ready[1], &word, 1));
      ::usleep(static_cast<useconds_t>(std::chrono::microseconds(lives).count()));
      ::_exit(0);
    }
    ::close(ready[1]);
    char word = 'n';
    const bool told = ::read(ready[0], &word, 1) == 1;
    ::close(ready[0]);
    REQUIRE(told);
    REQUIRE(word == 'y');
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  void kill() const { ::kill(pid_, SIGKILL); }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

struct Scene {
  FreshNetns netns;
  TemporaryFolder folder;
  PosixFiles files;
  LogLines log;
  SystemClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();

  [[nodiscard]] SoleProgram program(const std::string& state = "one") const {
    return {"egw-test", folder / state};
  }
  bool claim_for_good(const SoleProgram& program) {
    static SoleRun held;  // until the process ends
    Result<SoleRun> claimed = claim_sole_run(files, log, program);
    if (claimed) held = *std::move(claimed);
    return claimed.has_value();
  }
};

TEST_CASE_METHOD(Scene, "a second run in a network namespace is told who runs, wherever it keeps its state",
                 "[gateway]") {
  const Holder holder([&] { return claim_for_good(program()); });
  const Result<SoleRun> second = claim_sole_run(files, log, program("two"));
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == Code::kUnavailable);
  CHECK_THAT(second.error().message,
             Catch::StartsWith("another egw-test runs in this network namespace, process " +
                               std::to_string(holder.pid()) + " (ss -xlp shows it at @holdfast/egw-test)"));
  CHECK(claim_sole_run(files, log, {"egw-other", folder / "one"}).has_value());
}

TEST_CASE_METHOD(Scene, "a second run with the same state is refused in another network namespace too",
                 "[gateway]") {
  const Result<SoleRun> first = claim_sole_run(files, log, program());
  REQUIRE(first.has_value());
  const FreshNetns other;
  const Result<SoleRun> second = claim_sole_run(files, log, program());
  REQUIRE_FALSE(second.has_value());
  CHECK_THAT(second.error().message,
             Catch::StartsWith("another egw-test holds " + (folder / "one/egw-test.lock").native()));
  CHECK(claim_sole_run(files, log, program("two")).has_value());
}

TEST_CASE_METHOD(Scene, "who waits takes over as soon as the other has ended, or was killed", "[gateway]") {
  const bool killed = GENERATE(false, true);
  const Holder holder([&] { return claim_for_good(program()); }, killed ? 60s : 400ms);
  const EventLoop::Timer kill = loop->after(400ms, [&] {
    if (killed) holder.kill();
  });
  const auto began = std::chrono::steady_clock::now();
  const auto claimed = wait_for_sole_run(*loop, files, log, program(), 50s);
  REQUIRE(claimed.has_value());
  CHECK(claimed->has_value());
  CHECK(std::chrono::steady_clock::now() - began < 10s);
  CHECK(log.count("waits for another to end") == 1);
  CHECK(log.count("the other one has ended") == 1);
}

TEST_CASE_METHOD(Scene, "who waits in vain ends with the other's name, and at once when he is asked to",
                 "[gateway]") {
  const Holder holder([&] { return claim_for_good(program()); });
  SECTION("in vain") {
    const auto claimed = wait_for_sole_run(*loop, files, log, program(), 200ms);
    REQUIRE_FALSE(claimed.has_value());
    CHECK_THAT(claimed.error().message, Catch::Contains("process " + std::to_string(holder.pid())));
  }
  SECTION("asked to end") {
    const EventLoop::Timer ask = loop->after(100ms, [] { ::kill(::getpid(), SIGTERM); });
    const auto claimed = wait_for_sole_run(*loop, files, log, program(), 50s);
    REQUIRE(claimed.has_value());
    CHECK_FALSE(claimed->has_value());
  }
}

TEST_CASE_METHOD(Scene, "a user who takes the name keeps nobody from running, and is told", "[gateway]") {
  const Holder stranger([&] {
    return ::setresuid(65534, 65534, 65534) == 0 && claim_for_good({"egw-test", "/proc/none"});
  });
  const Result<SoleRun> claimed = claim_sole_run(files, log, program());
  REQUIRE(claimed.has_value());
  CHECK_FALSE(claimed->name.valid());
  CHECK(claimed->lock.valid());
  CHECK(log.count("a stranger has the name") == 1);
  CHECK(log.count("user=65534") == 1);
}

}  // namespace
}  // namespace holdfast::gateway
