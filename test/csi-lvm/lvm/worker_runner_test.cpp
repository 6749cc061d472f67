#include "csi-lvm/lvm/worker_runner.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <thread>

#include "common/base/fd.h"
#include "common/base/files.h"
#include "csi-lvm/lvm/frames.h"
#include "csi-lvm/lvmcmd/serve.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::lvm {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAmple{20000};

LvmCommand report(std::vector<std::string> words) { return {Effect::kReports, std::move(words)}; }
LvmCommand change(std::vector<std::string> words) { return {Effect::kChanges, std::move(words)}; }

TEST_CASE("commands go to one worker, which keeps running", "[lvm]") {
  WorkerRunner runner(TEST_WORKER);
  CHECK(runner.process() == 0);
  const LvmAnswer first = runner.run(report({"lvs", "--config", "a=1 b=2"}), kAmple).value();
  CHECK(first.succeeded);
  CHECK(first.output == R"(lvs --config "a=1 b=2")");
  CHECK(first.talk == "no input");
  const pid_t process = runner.process();
  CHECK_FALSE(runner.run(change({"fail"}), kAmple).value().succeeded);
  CHECK(runner.process() == process);
}

TEST_CASE("a command that is to run apart has a worker for itself", "[lvm]") {
  WorkerRunner runner(TEST_WORKER);
  REQUIRE(runner.run(report({"lvs"}), kAmple).has_value());
  const pid_t first = runner.process();
  LvmCommand apart = report({"lvs"});
  apart.apart = true;
  REQUIRE(runner.run(apart, kAmple).has_value());
  CHECK(::kill(first, 0) != 0);
  CHECK(runner.process() == 0);
}

TEST_CASE("a worker that rests is gone, and the next command starts another", "[lvm]") {
  WorkerRunner runner(TEST_WORKER);
  REQUIRE(runner.run(report({"lvs"}), kAmple).has_value());
  const pid_t first = runner.process();
  runner.rest();
  CHECK(::kill(first, 0) != 0);
  runner.rest();
  REQUIRE(runner.run(report({"lvs"}), kAmple).has_value());
  CHECK(runner.process() != first);
}

TEST_CASE("a worker in which LVM lost count of what it suspended is asked nothing more", "[lvm]") {
  for (const char* way : {"miscount", "suspended"}) {
    WorkerRunner runner(TEST_WORKER);
    CHECK(runner.run(change({way}), kAmple).value().succeeded);
    CHECK(runner.process() == 0);
    CHECK(runner.run(report({"lvs"}), kAmple).has_value());
  }
}

TEST_CASE("a report that is late is killed, and the next one gets a new worker", "[lvm]") {
  WorkerRunner runner(TEST_WORKER);
  const auto late = runner.run(report({"sleep", "60000"}), milliseconds{50});
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error().code == Code::kDeadlineExceeded);
  CHECK(runner.process() == 0);
  CHECK(runner.run(report({"lvs"}), kAmple).has_value());
}

TEST_CASE("a change that is late is waited for", "[lvm]") {
  WorkerRunner runner(TEST_WORKER);
  CHECK(runner.run(change({"sleep", "200"}), milliseconds{1}).value().succeeded);
}

TEST_CASE("a worker that dies leaves a report undone and a change in doubt", "[lvm]") {
  for (const char* way : {"die", "half"}) {
    DYNAMIC_SECTION(way) {
      WorkerRunner runner(TEST_WORKER);
      CHECK(runner.run(report({way}), kAmple).error().code == Code::kUnavailable);
      CHECK(runner.run(change({way}), kAmple).error().code == Code::kAborted);
      CHECK(runner.run(report({"lvs"}), kAmple).has_value());
    }
  }
}

TEST_CASE("a worker that is not there is told with its name", "[lvm]") {
  WorkerRunner runner("/nowhere/lvmcmd");
  const auto answer = runner.run(change({"lvcreate"}), kAmple);
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().code == Code::kUnavailable);
  CHECK(answer.error().message.find("/nowhere/lvmcmd") != std::string::npos);
}

TEST_CASE("a refused command starts no worker", "[lvm]") {
  WorkerRunner runner(TEST_WORKER);
  CHECK(runner.run(report({"lvs", "a\"b"}), kAmple).error().code == Code::kInvalidArgument);
  CHECK(runner.process() == 0);
}

TEST_CASE("a change goes on when the one who asked dies", "[lvm]") {
  const test::TemporaryFolder folder;
  const std::string left = folder.path() / "left";
  const pid_t asker = ::fork();
  if (asker == 0) {
    WorkerRunner runner(TEST_WORKER);
    const auto answer = runner.run(change({"leave", left}), kAmple);
    ::_exit(answer ? 0 : 1);
  }
  const auto await = [](const auto& done) {
    for (int i = 0; i < 2000 && !done(); ++i) std::this_thread::sleep_for(milliseconds{5});
  };
  await([&] { return ::access((left + ".begun").c_str(), F_OK) == 0; });
  REQUIRE(::kill(asker, SIGKILL) == 0);
  REQUIRE(::waitpid(asker, nullptr, 0) == asker);
  const auto content = [&] { return PosixFiles().read(left, 100).value(); };
  await([&] { return content() == "done"; });  // it is there before it is written
  CHECK(content() == "done");
}

struct Channel {
  Channel() {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    ours = Fd(ends[0]);
    workers = Fd(ends[1]);
  }
  void write(std::string_view bytes) const {
    std::size_t written = 0;
    REQUIRE(write_all(ours.get(), bytes, written) == 0);
  }
  Fd ours;
  Fd workers;
};

TEST_CASE_METHOD(Channel, "strings cross the channel whole, empty and long ones too", "[lvm]") {
  const std::string large(3 << 20, 'x');
  std::thread sender([&] { CHECK(send_strings(ours.get(), {"", large, "a\nb"}).has_value()); });
  const auto strings = receive_strings(workers.get(), 3, kAmple);
  sender.join();
  CHECK(strings.value() == std::vector<std::string>{"", large, "a\nb"});
}

TEST_CASE_METHOD(Channel, "a channel that says nonsense is an error", "[lvm]") {
  struct Case {
    const char* name;
    std::string bytes;
    Code code;
  };
  const Case cases[] = {{"nothing", "", Code::kUnavailable},
                        {"half a length", std::string("\1\0", 2), Code::kDataLoss},
                        {"half a string", std::string("\4\0\0\0ab", 6), Code::kDataLoss},
                        {"longer than any report", "\xff\xff\xff\xff", Code::kOutOfRange}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      write(c.bytes);
      ours.reset();
      CHECK(receive_strings(workers.get(), 1, kAmple).error().code == c.code);
    }
  }
}

TEST_CASE_METHOD(Channel, "a worker ends well when the channel does", "[lvm]") {
  const auto never = [](const std::string&) -> LvmAnswer {
    FAIL("no command was sent");
    return {};
  };
  ours.reset();
  CHECK(serve_commands(workers.get(), never).has_value());
}

}  // namespace
}  // namespace holdfast::lvm
