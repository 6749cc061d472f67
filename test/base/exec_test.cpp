#include "common/base/exec.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/fd.h"
#include "common/base/files.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAmple{20000};

Command shell(std::string script, milliseconds deadline = kAmple) {
  return Command{.argv = {"/bin/sh", "-c", std::move(script)},
                 .environment = {"PATH=/usr/bin:/bin"},
                 .input = "",
                 .deadline = deadline};
}

CommandResult ran(const Command& command) { return SystemExecutor().run(command).value(); }

TEST_CASE("a program gets its input, arguments and environment, and both outputs are kept apart", "[exec]") {
  Command command = shell("cat; echo \"$0 $1 $WORD\" >&2; exit 3");
  command.argv.insert(command.argv.end(), {"zero", "a b"});
  command.environment.emplace_back("WORD=w");
  command.input = "given";
  const CommandResult result = ran(command);
  CHECK(result.output == "given");
  CHECK(result.errors == "zero a b w\n");
  CHECK(result.exit_status == 3);
  CHECK(result.signal == 0);
  CHECK_FALSE(result.succeeded());
  CHECK_FALSE(result.truncated);
}

TEST_CASE("the environment holds what is given and no more", "[exec]") {
  const CommandResult result =
      ran({.argv = {"/usr/bin/env"}, .environment = {"A=1"}, .input = "", .deadline = kAmple});
  CHECK(result.output == "A=1\n");
  CHECK(result.succeeded());
}

TEST_CASE("input longer than a pipe holds is no deadlock, read or not", "[exec]") {
  Command command = shell("wc -c");
  command.input = std::string(1 << 20, 'x');
  CHECK(ran(command).output == "1048576\n");
  command.argv.back() = "true";
  CHECK(ran(command).succeeded());
}

TEST_CASE("output beyond what is kept is read and dropped", "[exec]") {
  Command command = shell("head -c 300000 /dev/zero; echo end >&2");
  command.max_output_bytes = 1000;
  const CommandResult result = ran(command);
  CHECK(result.output.size() == 1000);
  CHECK(result.truncated);
  CHECK(result.errors == "end\n");
  CHECK(result.succeeded());
}

TEST_CASE("the signal that ended a program is told", "[exec]") {
  const CommandResult result = ran(shell("kill -TERM $$"));
  CHECK(result.signal == SIGTERM);
  CHECK(result.exit_status == 0);
  CHECK_FALSE(result.succeeded());
}

TEST_CASE("the processor time of a program is told", "[exec]") {
  const CommandResult result = ran(shell("i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"));
  CHECK(result.cpu > milliseconds(1));
}

TEST_CASE("at the deadline the program and its children are killed", "[exec]") {
  const test::TemporaryFolder folder;
  const std::string mark = folder / "alive";
  const auto started = std::chrono::steady_clock::now();
  const auto result = SystemExecutor().run(
      shell("echo words >&2; (sleep 1; touch " + mark + ") & sleep 30", milliseconds(100)));
  REQUIRE_FALSE(result);
  CHECK(result.error().code == Code::kDeadlineExceeded);
  CHECK(result.error().message == "run /bin/sh: not finished after 100 ms, killed; it wrote: words\n");
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(10));
  std::this_thread::sleep_for(milliseconds(1200));
  CHECK_FALSE(std::filesystem::exists(mark));
}

TEST_CASE("a program that closes its outputs and lives on meets the deadline too", "[exec]") {
  const auto result = SystemExecutor().run(shell("exec >&- 2>&-; sleep 30", milliseconds(100)));
  REQUIRE_FALSE(result);
  CHECK(result.error().code == Code::kDeadlineExceeded);
}

TEST_CASE("a child that keeps the outputs does not hold up a program that ended", "[exec]") {
  const auto started = std::chrono::steady_clock::now();
  const CommandResult result = ran(shell("echo done; sleep 5 &"));
  CHECK(result.output == "done\n");
  CHECK(result.succeeded());
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(4));
}

TEST_CASE("what a program writes just before its end is kept, on a busy machine too", "[exec]") {
  std::atomic<int> whole = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 16; ++i) {
    callers.emplace_back([&whole] {
      for (int round = 0; round < 10; ++round) {
        const CommandResult result = ran(shell("sleep 0.02; echo all of it; echo and more >&2"));
        whole += result.output == "all of it\n" && result.errors == "and more\n" ? 1 : 0;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(whole == 160);
}

TEST_CASE("a program has no descriptor but 0, 1 and 2", "[exec]") {
  const Fd leaking(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC
  REQUIRE(leaking.valid());
  // 3 is the folder that ls itself has opened.
  const CommandResult result =
      ran({.argv = {"/bin/ls", "/proc/self/fd"}, .environment = {}, .input = "", .deadline = kAmple});
  CHECK(result.output == "0\n1\n2\n3\n");
}

TEST_CASE("a program has default signals, though ours ignore or block them", "[exec]") {
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  REQUIRE(::sigaction(SIGUSR1, &ignore, &before) == 0);
  sigset_t blocked;
  sigset_t mask_before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR1);
  ::sigaddset(&blocked, SIGTERM);
  REQUIRE(::pthread_sigmask(SIG_BLOCK, &blocked, &mask_before) == 0);
  const CommandResult ignored = ran(shell("kill -USR1 $$"));
  const CommandResult terminated = ran(shell("kill -TERM $$"));
  ::pthread_sigmask(SIG_SETMASK, &mask_before, nullptr);
  ::sigaction(SIGUSR1, &before, nullptr);
  CHECK(ignored.signal == SIGUSR1);
  CHECK(terminated.signal == SIGTERM);
}

// Closes those of 0, 1 and 2 whose bit is set, and puts them back at the end.
class ClosedStdio {
 public:
  explicit ClosedStdio(unsigned which) {
    for (int fd = 0; fd < 3; ++fd) {
      if ((which >> fd & 1) != 0) {
        kept_.emplace_back(fd, Fd(::fcntl(fd, F_DUPFD_CLOEXEC, 10)));
        ::close(fd);
      }
    }
  }
  ClosedStdio(const ClosedStdio&) = delete;
  ClosedStdio& operator=(const ClosedStdio&) = delete;
  ~ClosedStdio() {
    for (const auto& [fd, copy] : kept_) {
      ::dup2(copy.get(), fd);
    }
  }

 private:
  std::vector<std::pair<int, Fd>> kept_;
};

TEST_CASE("it works for a process whose own 0, 1 or 2 are closed", "[exec]") {
  for (unsigned which = 0; which < 8; ++which) {
    DYNAMIC_SECTION("closed, as bits: " << which) {
      Command command = shell("cat; echo err >&2");
      command.input = "in";
      Result<CommandResult> result;
      {
        const ClosedStdio closed(which);
        result = SystemExecutor().run(command);
      }
      REQUIRE(result);
      CHECK(result->output == "in");
      CHECK(result->errors == "err\n");
    }
  }
}

TEST_CASE("a program that cannot be started is told why", "[exec]") {
  const test::TemporaryFolder folder;
  PosixFiles files;
  REQUIRE(files.create(folder / "plain", "text", 0600));
  REQUIRE(files.create(folder / "script", "#!/no/such/interpreter\n", 0700));
  struct Case {
    const char* name;
    std::vector<std::string> argv;
    Code code;
  };
  const Case cases[] = {
      {"absent", {folder / "absent"}, Code::kNotFound},
      {"not executable", {folder / "plain"}, Code::kPermissionDenied},
      {"no interpreter", {folder / "script"}, Code::kNotFound},
      {"a folder", {folder.path()}, Code::kPermissionDenied},
      {"no path", {"sh"}, Code::kInvalidArgument},
      {"nothing", {}, Code::kInvalidArgument},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto result =
          SystemExecutor().run({.argv = c.argv, .environment = {}, .input = "", .deadline = kAmple});
      REQUIRE_FALSE(result);
      CHECK(result.error().code == c.code);
      CHECK(result.error().message.starts_with("run "));
    }
  }
}

TEST_CASE("A program of the host is found in the host's folders only, whatever PATH says", "[exec]") {
  CHECK(find_system_program("sh").ends_with("/sh"));
  CHECK(find_system_program("no-such-program-anywhere").empty());
  CHECK(find_system_program("").empty());
  CHECK(find_system_program("../bin/sh").empty());
}

}  // namespace
}  // namespace holdfast
