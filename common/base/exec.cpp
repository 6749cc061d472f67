#include "common/base/exec.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <thread>
#include <utility>

#include "common/base/fd.h"
#include "common/base/spawn.h"

namespace holdfast {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookAgain{
    20};  // for the end of a program whose children keep its outputs
constexpr std::chrono::microseconds kShortestWait{50};  // for the end of a program that closed its outputs
constexpr std::chrono::microseconds kLongestWait{5000};
constexpr std::chrono::milliseconds kKillPatience{1000};  // a killed process may be stuck in the kernel

struct Pipe {
  Fd read_end;
  Fd write_end;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail_errno(errno, "make a pipe");
  }
  Pipe pipe{.read_end = Fd(ends[0]), .write_end = Fd(ends[1])};
  return pipe;
}

// The input as a file in memory: unlike a pipe it cannot fill up, and a program that does not read it is no
// SIGPIPE.
Result<Fd> make_input(const std::string& bytes) {
  Fd fd(::memfd_create("stdin", MFD_CLOEXEC));
  if (!fd.valid()) {
    return fail_errno(errno, "make the input file");
  }
  std::size_t written = 0;
  if (const int error = write_all(fd.get(), bytes, written); error != 0) {
    return fail_errno(error, "fill the input file");
  }
  ::lseek(fd.get(), 0, SEEK_SET);  // the program shares the offset
  return fd;
}

// Reads once what is there. False at the end of the output.
bool take_output(int fd, std::size_t max_bytes, std::string& kept, bool& truncated) {
  std::array<char, std::size_t{16} * 1024> buffer;
  const ssize_t n = ::read(fd, buffer.data(), buffer.size());
  if (n < 0) {
    return errno == EINTR || errno == EAGAIN;
  }
  const auto size = static_cast<std::size_t>(n);
  const std::size_t room = max_bytes - std::min(max_bytes, kept.size());
  kept.append(buffer.data(), std::min(size, room));
  truncated = truncated || size > room;
  return n > 0;
}

// One running program from its start to its end.
class Child {
 public:
  Child(const Command& command, pid_t pid, Fd output, Fd errors)
      : command_(command),
        pid_(pid),
        deadline_(SteadyClock::now() + command.deadline),
        output_(std::move(output)),
        errors_(std::move(errors)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (!ended_) {
      kill_and_wait();
    }
  }

  Result<CommandResult> finish() {
    while (output_.valid() || errors_.valid()) {
      const auto left = deadline_ - SteadyClock::now();
      if (left <= left.zero()) {
        return too_late();
      }
      // Looked at before the output: what a program wrote before its end is there then.
      const bool over = reap();
      const auto patience =
          over ? std::chrono::nanoseconds(0) : std::min<std::chrono::nanoseconds>(left, kLookAgain);
      if (!take_outputs(patience) && over) {
        return std::move(result_);
      }
    }
    if (!wait_until(deadline_)) {
      return too_late();
    }
    return std::move(result_);
  }

 private:
  // Waits for output up to `patience` and reads it. False when none came in all that time.
  bool take_outputs(std::chrono::nanoseconds patience) {
    std::array<pollfd, 2> watched{pollfd{output_.get(), POLLIN, 0}, pollfd{errors_.get(), POLLIN, 0}};
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(patience);
    const int ready = ::poll(watched.data(), watched.size(), static_cast<int>(wait.count()));
    if (ready <= 0) {
      return ready < 0 && errno == EINTR;
    }
    const auto take = [&](const pollfd& seen, Fd& fd, std::string& kept) {
      if (seen.revents != 0 && !take_output(fd.get(), command_.max_output_bytes, kept, result_.truncated)) {
        fd.reset();
      }
    };
    take(watched[0], output_, result_.output);
    take(watched[1], errors_, result_.errors);
    return true;
  }

  // True when the program has ended; its result is complete then.
  bool reap() {
    int status = 0;
    rusage used{};
    if (!ended_ && ::wait4(pid_, &status, WNOHANG, &used) == pid_) {
      ended_ = true;
      result_.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
      result_.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
      for (const timeval& time : {used.ru_utime, used.ru_stime}) {
        result_.cpu += std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
      }
    }
    return ended_;
  }

  bool wait_until(SteadyClock::time_point deadline) {
    auto wait = kShortestWait;
    while (!reap()) {
      const auto left = deadline - SteadyClock::now();
      if (left <= left.zero()) {
        return false;
      }
      std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(left, wait));
      wait = std::min(wait * 2, kLongestWait);
    }
    return true;
  }

  // The group is killed before its leader is waited for, while its number cannot belong to anyone else.
  bool kill_and_wait() {
    ::kill(-pid_, SIGKILL);
    return wait_until(SteadyClock::now() + kKillPatience);
  }

  tl::unexpected<Error> too_late() {
    std::string message = "run " + command_.argv.front() + ": not finished after " +
                          std::to_string(command_.deadline.count()) + " ms";
    message += kill_and_wait() ? ", killed" : ", killed but still in the kernel";
    if (!result_.errors.empty()) {
      message += "; it wrote: " + result_.errors;
    }
    ended_ = true;
    return fail(Code::kDeadlineExceeded, std::move(message));
  }

  const Command& command_;
  pid_t pid_;
  SteadyClock::time_point deadline_;
  Fd output_;
  Fd errors_;
  CommandResult result_;
  bool ended_ = false;
};

}  // namespace

Result<CommandResult> SystemExecutor::run(const Command& command) {
  if (command.argv.empty() || command.argv.front().find('/') == std::string::npos) {
    return fail(Code::kInvalidArgument, "run '" + (command.argv.empty() ? "" : command.argv.front()) +
                                            "': not the path of a program");
  }
  HOLDFAST_TRY(const Fd input, make_input(command.input));
  HOLDFAST_TRY(Pipe output, make_pipe());
  HOLDFAST_TRY(Pipe errors, make_pipe());
  Spawn spawn;
  spawn.give(input.get(), STDIN_FILENO);
  spawn.give(output.write_end.get(), STDOUT_FILENO);
  spawn.give(errors.write_end.get(), STDERR_FILENO);
  HOLDFAST_TRY(const pid_t pid, spawn.start(command.argv, command.environment));
  output.write_end.reset();
  errors.write_end.reset();
  return Child(command, pid, std::move(output.read_end), std::move(errors.read_end)).finish();
}

std::string find_system_program(std::string_view name) {
  if (name.empty() || name.find('/') != std::string_view::npos) return {};
  for (const char* folder : {"/usr/sbin/", "/sbin/", "/usr/bin/", "/bin/", "/usr/local/sbin/"}) {
    std::string path = folder + std::string(name);
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

}  // namespace holdfast
