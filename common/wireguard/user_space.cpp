#include "common/wireguard/user_space.h"

#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "common/base/link_name.h"
#include "common/base/text.h"
#include "common/wireguard/uapi.h"
#include "common/wireguard/wiped.h"

namespace holdfast::wireguard {
namespace {

constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};
constexpr std::chrono::seconds kStartPatience{10};
constexpr std::chrono::seconds kEndPatience{5};
constexpr std::chrono::milliseconds kLooksEvery{5};
constexpr std::size_t kLongestAnswer = std::size_t{16} << 20U;

bool whole(std::string_view answer) { return answer.ends_with("\n\n"); }

Result<std::string> read_answer(int socket) {
  std::string out;
  out.reserve(std::size_t{64} << 10U);
  std::array<char, 4096> some{};
  while (!whole(out)) {
    const ssize_t got = ::recv(socket, some.data(), some.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno == EAGAIN ? ETIMEDOUT : errno, "read wireguard-go's answer");
    if (got == 0) return fail(Code::kUnavailable, "wireguard-go ended while it answered");
    out.append(some.data(), static_cast<std::size_t>(got));
    if (out.size() > kLongestAnswer)
      return fail(Code::kResourceExhausted, "wireguard-go's answer has no end");
  }
  ::explicit_bzero(some.data(), some.size());
  return out;
}

Status write_request(int socket, std::string_view request) {
  while (!request.empty()) {
    const ssize_t sent = ::send(socket, request.data(), request.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return fail_errno(errno == EAGAIN ? ETIMEDOUT : errno, "write to wireguard-go");
    request.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

bool link_is_there(const std::string& name) { return ::if_nametoindex(name.c_str()) != 0; }

}  // namespace

UserSpaceWireGuard::UserSpaceWireGuard(Executor& executor, Clock& clock, std::string program,
                                       std::filesystem::path sockets)
    : executor_(executor), clock_(clock), program_(std::move(program)), sockets_(std::move(sockets)) {}

Status UserSpaceWireGuard::ensure(const std::string& name) {
  if (const std::string_view fault = fault_of_link_name(name); !fault.empty()) {
    return fail(Code::kInvalidArgument, "WireGuard interface: its name " + std::string(fault));
  }
  if (connect(name)) {
    if (link_is_there(name)) return {};
    return fail(Code::kFailedPrecondition, "WireGuard interface " + name +
                                               ": a wireguard-go of another network "
                                               "namespace has " +
                                               socket_of(name).native());
  }
  return start(name);
}

Status UserSpaceWireGuard::start(const std::string& name) {
  const std::string what = "start wireguard-go for " + name;
  const std::string program = program_.empty() ? find_system_program("wireguard-go") : program_;
  if (program.empty()) {
    return fail(Code::kFailedPrecondition, what + ": it is not installed, and this kernel has no WireGuard");
  }
  if (link_is_there(name)) {
    return fail(Code::kFailedPrecondition,
                what + ": there is a link of that name which is not wireguard-go's");
  }
  // Without LOG_LEVEL the process that stays has no output: with it that would be our pipe, and it would end
  // of the first line that it writes when we have closed that.
  const Command command{.argv = {program, name}, .environment = {}, .input = {}, .deadline = kStartPatience};
  const Result<CommandResult> done = executor_.run(command);
  if (!done) return tl::unexpected(Error(done.error()).within(what));
  if (done->succeeded() && connect(name)) return {};
  const bool no_tun = done->errors.find("/dev/net/tun") != std::string::npos;
  return fail(Code::kFailedPrecondition,
              what + (no_tun ? ": there is no /dev/net/tun; make it, or let an init container do so"
                             : ": it does not serve " + socket_of(name).native()));
}

Result<TunnelState> UserSpaceWireGuard::read(const std::string& name) {
  HOLDFAST_TRY(std::string answer, ask(name, kGetRequest));
  const Wiped wiped(answer);
  auto state = parse_state(answer);
  if (!state) return tl::unexpected(std::move(state).error().within("read WireGuard interface " + name));
  return state;
}

Status UserSpaceWireGuard::change(const std::string& name, const Change& change) {
  std::string request = set_request(change);
  const Wiped wiped(request);
  HOLDFAST_TRY(const std::string answer, ask(name, request));
  auto done = parse_done(answer);
  if (!done) return tl::unexpected(std::move(done).error().within("change WireGuard interface " + name));
  return done;
}

/// wireguard-go ends when its socket's file goes, and the interface with it.
Status UserSpaceWireGuard::remove(const std::string& name) {
  std::error_code failed;
  const bool was_served = connect(name).has_value();
  std::filesystem::remove(socket_of(name), failed);
  if (failed) return fail_errno(failed.value(), "remove " + socket_of(name).native());
  const auto end = clock_.since_boot() + kEndPatience;
  while (was_served && link_is_there(name)) {
    if (clock_.since_boot() > end) {
      return fail(Code::kDeadlineExceeded,
                  "WireGuard interface " + name + " is there 5 s after its socket went");
    }
    clock_.sleep(kLooksEvery);
  }
  return {};
}

std::filesystem::path UserSpaceWireGuard::socket_of(const std::string& name) const {
  return sockets_ / (name + ".sock");
}

Result<Fd> UserSpaceWireGuard::connect(const std::string& name) const {
  const std::string path = socket_of(name).native();
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  if (path.size() >= sizeof at.sun_path)
    return fail(Code::kInvalidArgument, path + " is too long for a socket");
  std::memcpy(&at.sun_path[0], path.data(), path.size());
  Fd out(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!out.valid()) return fail_errno(errno, "open a socket for wireguard-go");
  static_cast<void>(::setsockopt(out.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience));
  static_cast<void>(::setsockopt(out.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience));
  const void* raw = &at;
  if (::connect(out.get(), static_cast<const sockaddr*>(raw), sizeof at) == 0) return out;
  if (errno != ENOENT && errno != ECONNREFUSED) return fail_errno(errno, "connect to " + path);
  return fail(Code::kNotFound, "no wireguard-go serves " + path);
}

Result<std::string> UserSpaceWireGuard::ask(const std::string& name, std::string_view request) const {
  HOLDFAST_TRY(const Fd socket, connect(name));
  HOLDFAST_CHECK(write_request(socket.get(), request));
  return read_answer(socket.get());
}

}  // namespace holdfast::wireguard
