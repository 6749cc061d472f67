#include "csi-lvm/lvm/worker_runner.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>
#include <vector>

#include "common/base/spawn.h"
#include "csi-lvm/lvm/frames.h"
#include "csi-lvm/lvm/lvm_environment.h"

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

// LVM counts in its process what it has suspended. Once that is wrong, it refuses changes until the process
// ends.
bool has_lost_count(const LvmAnswer& answer) {
  return answer.talk.find("Internal error:") != std::string::npos ||
         answer.talk.find("critical section") != std::string::npos;
}

}  // namespace

WorkerRunner::WorkerRunner(std::string program) : program_(std::move(program)) {}

WorkerRunner::~WorkerRunner() { end(); }

void WorkerRunner::rest() { end(); }

Result<LvmAnswer> WorkerRunner::run(const LvmCommand& command, std::chrono::milliseconds patience) {
  HOLDFAST_CHECK(check_command(command));
  if (command.apart) rest();
  if (auto started = start(); !started) {
    started.error().code = Code::kUnavailable;
    return tl::unexpected(std::move(started).error());
  }
  auto answer = exchange(command, patience);
  if (answer && (command.apart || has_lost_count(*answer))) rest();
  if (answer) return answer;
  Error error = std::move(answer).error();
  const bool report = command.effect == Effect::kReports;
  if (report) {
    kill_and_end();
  } else {
    end();
  }
  if (error.code != Code::kDeadlineExceeded) {
    // Nothing tells whether the command had begun when the worker went.
    error.code = report ? Code::kUnavailable : Code::kAborted;
  }
  return tl::unexpected(std::move(error).within("lvmcmd " + command.words[0]));
}

Status WorkerRunner::start() {
  if (channel_.valid()) return {};
  HOLDFAST_TRY(Channel channel, make_channel());
  Spawn spawn;
  spawn.give(channel.workers.get(), kWorkerFd);
  spawn.give_nothing(STDIN_FILENO);  // LVM can ask nobody anything
  spawn.give(STDERR_FILENO, STDOUT_FILENO);
  HOLDFAST_TRY(process_, spawn.start({program_}, lvm_environment()));
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

// One that is stuck in a report would not see that its channel is closed.
void WorkerRunner::kill_and_end() {
  if (process_ != 0) ::kill(-process_, SIGKILL);
  end();
}

// Closing the channel is what ends a worker.
void WorkerRunner::end() {
  channel_.reset();
  if (process_ == 0) return;
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
  process_ = 0;
}

}  // namespace holdfast::lvm
