#include "csi-lvm/lvm/worker_runner.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>
#include <vector>

#include "csi-lvm/lvm/lvm_environment.h"
#include "csi-lvm/lvmcmd/frames.h"

namespace holdfast::lvm {
namespace {

struct Channel {
  Fd ours;
  Fd workers;
};

Result<Channel> make_channel() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail_errno(errno, "make the LVM channel");
  }
  Channel channel{.ours = Fd(ends[0]), .workers = Fd(ends[1])};
  return channel;
}

// The worker has no input, so that LVM can ask nobody anything; its errors go where ours go.
Result<pid_t> spawn(const std::string& program, int channel) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  sigset_t all;
  sigset_t none;
  ::sigfillset(&all);
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setpgroup(&attributes, 0);  // a Ctrl-C on our terminal is not for it
  const std::array failures{
      ::posix_spawnattr_setflags(&attributes,
                                 POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK),
      ::posix_spawn_file_actions_adddup2(&actions, channel, kWorkerFd),
      ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0),
      ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO),
      ::posix_spawn_file_actions_addclosefrom_np(&actions, kWorkerFd + 1)};
  int error = *std::ranges::max_element(failures);
  std::vector<std::string> environment = lvm_environment();
  std::vector<char*> variables;
  variables.reserve(environment.size() + 1);
  for (std::string& variable : environment) variables.push_back(variable.data());
  variables.push_back(nullptr);
  std::string name = program;
  const std::array<char*, 2> arguments{name.data(), nullptr};
  pid_t process = 0;
  if (error == 0) {
    error =
        ::posix_spawn(&process, program.c_str(), &actions, &attributes, arguments.data(), variables.data());
  }
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail_errno(error, "start " + program);
  return process;
}

}  // namespace

WorkerRunner::WorkerRunner(std::string program) : program_(std::move(program)) {}

WorkerRunner::~WorkerRunner() { forget(false); }

void WorkerRunner::rest() { forget(false); }

Result<LvmAnswer> WorkerRunner::run(const LvmCommand& command, std::chrono::milliseconds patience) {
  HOLDFAST_CHECK(check_command(command));
  if (auto started = start(); !started) {
    started.error().code = Code::kUnavailable;
    return tl::unexpected(std::move(started).error());
  }
  auto answer = exchange(command, patience);
  if (answer) return answer;
  Error error = std::move(answer).error();
  const bool report = command.effect == Effect::kReports;
  forget(report);
  if (error.code != Code::kDeadlineExceeded) {
    // Nothing tells whether the command had begun when the worker went.
    error.code = report ? Code::kUnavailable : Code::kAborted;
  }
  return tl::unexpected(std::move(error).within("lvmcmd " + command.words[0]));
}

Status WorkerRunner::start() {
  if (channel_.valid()) return {};
  HOLDFAST_TRY(Channel channel, make_channel());
  HOLDFAST_TRY(process_, spawn(program_, channel.workers.get()));
  channel_ = std::move(channel.ours);
  return {};
}

Result<LvmAnswer> WorkerRunner::exchange(const LvmCommand& command, std::chrono::milliseconds patience) {
  const std::string line = to_line(command);
  HOLDFAST_CHECK(send_strings(channel_.get(), {line}));
  const std::chrono::milliseconds limit = command.effect == Effect::kReports
                                              ? std::max(patience, std::chrono::milliseconds{1})
                                              : std::chrono::milliseconds{0};
  HOLDFAST_TRY(std::vector<std::string> said, receive_strings(channel_.get(), 3, limit));
  return LvmAnswer{.succeeded = said[0] == "1", .output = std::move(said[1]), .talk = std::move(said[2])};
}

// Closing the channel is what ends a worker. One that is stuck in a report would not see it.
void WorkerRunner::forget(bool kill) {
  channel_.reset();
  if (process_ == 0) return;
  if (kill) ::kill(-process_, SIGKILL);
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
  process_ = 0;
}

}  // namespace holdfast::lvm
