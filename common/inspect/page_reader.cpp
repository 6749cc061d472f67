#include "common/inspect/page_reader.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <string_view>

#include "common/base/fd.h"
#include "common/base/socket_address.h"

namespace holdfast {
namespace {

using Time = std::chrono::nanoseconds;

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

/// Until `fd` can do what `events` ask for.
Status wait_for(Clock& clock, const Fd& fd, short events, Time deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.since_boot());
    if (left.count() <= 0) return fail(Code::kDeadlineExceeded, "no answer in time");
    pollfd asked{fd.get(), events, 0};
    const int ready = ::poll(&asked, 1, static_cast<int>(left.count()));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return fail_errno(errno, "wait for an answer");
  }
}

Result<Fd> connect_to(Clock& clock, const SocketAddress& to, Time deadline) {
  Fd fd(::socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail_errno(errno, "open a socket");
  if (::connect(fd.get(), to.get(), to.size) == 0) return fd;
  if (errno != EINPROGRESS) return fail_errno(errno, "connect");
  HOLDFAST_CHECK(wait_for(clock, fd, POLLOUT, deadline));
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) return fail_errno(error, "connect");
  return fd;
}

Result<std::string> read_all(Clock& clock, const Fd& fd, Time deadline) {
  std::string out;
  std::array<char, 4096> part{};
  while (out.size() < kMaxBytes) {
    HOLDFAST_CHECK(wait_for(clock, fd, POLLIN, deadline));
    const ssize_t got = ::recv(fd.get(), part.data(), part.size(), 0);
    if (got == 0) break;
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got < 0) return fail_errno(errno, "read an answer");
    out.append(part.data(), static_cast<std::size_t>(got));
  }
  return out;
}

/// Source: RFC 9112, section 4: "HTTP/1.1 200 OK".
Result<WebPage> parse_answer(std::string_view answer) {
  constexpr std::string_view kBegin = "HTTP/1.";
  constexpr std::size_t kStatusAt = kBegin.size() + 2;
  WebPage out;
  const std::size_t body = answer.find("\r\n\r\n");
  if (!answer.starts_with(kBegin) || body == std::string_view::npos ||
      std::from_chars(answer.data() + kStatusAt, answer.data() + kStatusAt + 3, out.status).ec !=
          std::errc()) {
    return fail(Code::kInvalidArgument, "the answer is no HTTP: who listens there?");
  }
  out.body = answer.substr(body + 4);
  return out;
}

}  // namespace

Result<WebPage> read_page(Clock& clock, const IpAddress& address, std::uint16_t port, const std::string& path,
                          std::chrono::milliseconds patience) {
  const Time deadline = clock.since_boot() + patience;
  HOLDFAST_TRY(const Fd fd, connect_to(clock, to_socket_address(address, port), deadline));
  const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
  // a socket that was just connected takes as much
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return fail_errno(errno, "send a request");
  }
  HOLDFAST_TRY(const std::string answer, read_all(clock, fd, deadline));
  return parse_answer(answer);
}

}  // namespace holdfast
