#include "egw-gateway/sole_run/sole_run.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <utility>

namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;

constexpr auto kTryAgain = 50ms;

/// Of an abstract socket, whose name begins with a zero byte.
struct Name {
  sockaddr_un address{};
  socklen_t size = 0;
};

Name name_of(const SoleProgram& program) {
  const std::string text = "holdfast/" + program.name;
  Name out;
  out.address.sun_family = AF_UNIX;
  std::ranges::copy(text, out.address.sun_path + 1);
  out.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  return out;
}

Result<Fd> open_socket() {
  Fd out(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!out.valid()) return fail_errno(errno, "open a socket");
  return out;
}

/// nullopt: it is not told, as the holder does not listen, or not yet. pid 0: it is in a container that this
/// one does not see into.
std::optional<ucred> holder_of(const Name& name) {
  const Result<Fd> socket = open_socket();
  if (!socket) return std::nullopt;
  const auto* address = reinterpret_cast<const sockaddr*>(&name.address);
  if (::connect(socket->get(), address, name.size) != 0) return std::nullopt;
  ucred out{};
  socklen_t size = sizeof out;
  if (::getsockopt(socket->get(), SOL_SOCKET, SO_PEERCRED, &out, &size) != 0) return std::nullopt;
  return out;
}

std::string shown(const std::optional<ucred>& holder) {
  return holder && holder->pid > 0 ? "process " + std::to_string(holder->pid)
                                   : "a process of another container";
}

Result<Fd> bind_name(const Name& name) {
  HOLDFAST_TRY(Fd socket, open_socket());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name.address), name.size) != 0)
    return fail_errno(errno, "claim a name");
  if (::listen(socket.get(), SOMAXCONN) != 0) return fail_errno(errno, "listen by a name");
  return socket;
}

/// Invalid where nothing can be written.
Result<Fd> claim_folder(Files& files, const SoleProgram& program) {
  const std::filesystem::path path = program.state_dir / (program.name + ".lock");
  static_cast<void>(files.make_folders(program.state_dir, 0700));
  Result<Fd> lock = files.lock(path, 0ms);
  if (!lock && lock.error().code == Code::kUnavailable) {
    return fail(Code::kUnavailable,
                "another " + program.name + " holds " + path.native() +
                    " (fuser shows which); stop it, or give one of the two a --state-dir of its own");
  }
  return lock ? std::move(lock) : Result<Fd>(Fd());
}

/// Tries again and again, and says things once: a holder that never accepts has room for so many who ask.
class Claim {
 public:
  Claim(Files& files, Logger& log, const SoleProgram& program)
      : files_(files), log_(log), program_(program), name_(name_of(program)) {}

  Result<SoleRun> attempt() {
    SoleRun out;
    HOLDFAST_TRY(out.name, claim_name());
    HOLDFAST_TRY(out.lock, claim_folder(files_, program_));
    return out;
  }

 private:
  /// Invalid when a stranger has the name.
  Result<Fd> claim_name() {
    Result<Fd> socket = bind_name(name_);
    if (socket || socket.error().sys_errno != EADDRINUSE) return socket;
    if (!asked_) ask();
    if (stranger_) return Fd();
    return fail(Code::kUnavailable, held_);
  }

  void ask() {
    asked_ = true;
    const std::optional<ucred> holder = holder_of(name_);
    stranger_ = holder && holder->uid != 0 && holder->uid != ::geteuid();
    if (stranger_) {
      log_.warning("a stranger has the name by which a second run would be told",
                   {{"name", "@holdfast/" + program_.name}, {"who", shown(holder)}, {"user", holder->uid}});
    }
    held_ = "another " + program_.name + " runs in this network namespace, " + shown(holder) +
            " (ss -xlp shows it at @holdfast/" + program_.name +
            "); stop one of the two: they would take routes and tunnels from each other";
  }

  Files& files_;
  Logger& log_;
  const SoleProgram& program_;
  Name name_;
  bool asked_ = false;
  bool stranger_ = false;
  std::string held_;
};

bool is_held(const Result<SoleRun>& claimed) {
  return !claimed && claimed.error().code == Code::kUnavailable;
}

}  // namespace

Result<SoleRun> claim_sole_run(Files& files, Logger& log, const SoleProgram& program) {
  return Claim(files, log, program).attempt();
}

Result<std::optional<SoleRun>> wait_for_sole_run(EventLoop& loop, Files& files, Logger& log,
                                                 const SoleProgram& program,
                                                 std::chrono::nanoseconds patience) {
  bool ends = false;
  HOLDFAST_TRY(const EventLoop::Signals signals, loop.on_signals({SIGTERM, SIGINT, SIGHUP}, [&](int number) {
    ends = ends || number != SIGHUP;
  }));
  Claim claim(files, log, program);
  Result<SoleRun> claimed = claim.attempt();
  if (claimed) return std::optional<SoleRun>(*std::move(claimed));
  if (is_held(claimed) && patience > 0ns)
    log.warning("waits for another to end", {{"why", claimed.error().message}});
  const auto until = loop.clock().since_boot() + patience;
  while (is_held(claimed) && !ends && loop.clock().since_boot() < until) {
    HOLDFAST_CHECK(loop.turn(kTryAgain));
    claimed = claim.attempt();
  }
  if (ends) return std::nullopt;
  if (!claimed) return tl::unexpected(std::move(claimed).error());
  log.info("the other one has ended");
  return std::optional<SoleRun>(*std::move(claimed));
}

}  // namespace holdfast::gateway
