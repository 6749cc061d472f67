#include "csi-nas/mounts/child.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <thread>
#include <utility>

#include "common/base/spawn.h"
#include "csi-nas/nfs/child_messages.h"

namespace holdfast::nas {
namespace {

constexpr std::chrono::microseconds kShortestWait{50};
constexpr std::chrono::microseconds kLongestWait{5000};

bool wait_to_read(int fd, Child::Time until) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd watched{fd, POLLIN, 0};
    if (::poll(&watched, 1, std::max(0, static_cast<int>(left.count()))) > 0) return true;
    if (left.count() <= 0) return false;
  }
}

}  // namespace

Result<Child> Child::start(const std::string& program, const std::string& root, const std::string& server) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail_errno(errno, "make a pair of sockets");
  }
  Fd ours(ends[0]);
  const Fd childs(ends[1]);
  Spawn spawn;
  spawn.give(childs.get(), STDIN_FILENO);
  spawn.give(childs.get(), STDOUT_FILENO);
  spawn.give(STDERR_FILENO, STDERR_FILENO);
  HOLDFAST_TRY(const pid_t process,
               spawn.start({program, root, server}, {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}));
  return Child(process, std::move(ours));
}

ChildReply Child::ask(const std::string& message, Time until) {
  using Kind = ChildReply::Kind;
  if (::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL) < 0) {
    return {.kind = Kind::kNotTaken};
  }
  return answer(until);
}

ChildReply Child::answer(Time until) {
  using Kind = ChildReply::Kind;
  if (!wait_to_read(socket_.get(), until)) return {.kind = Kind::kLate};
  std::string text(kMostMessageBytes, '\0');
  const ssize_t size = ::recv(socket_.get(), text.data(), text.size(), 0);
  // A socket whose other end was closed before it read what was sent: ECONNRESET. Source: unix(7).
  if (size < 0 && errno == ECONNRESET) return {.kind = Kind::kNotTaken};
  if (size <= 0) return {.kind = Kind::kEnded};
  text.resize(static_cast<std::size_t>(size));
  return {.kind = Kind::kAnswered, .text = std::move(text)};
}

void Child::kill() {
  ::kill(-process_, SIGKILL);
  socket_.reset();
}

std::string Child::waits_in() const {
  std::string function;
  std::ifstream("/proc/" + std::to_string(process_) + "/wchan") >> function;
  return function == "0" ? "" : function;
}

bool Child::ended_by(Time until) const {
  auto pause = kShortestWait;
  while (::waitpid(process_, nullptr, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kLongestWait);
  }
  return true;
}

}  // namespace holdfast::nas
