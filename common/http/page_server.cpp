#include "common/http/page_server.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>

#include "common/base/socket_address.h"

namespace holdfast::http {
namespace {

constexpr int kBacklog = 64;
constexpr std::chrono::seconds kRest{1};

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";
  }
}

std::string answer_of(const Page& page, bool with_body) {
  return "HTTP/1.1 " + std::to_string(page.status) + " " + std::string(reason_of(page.status)) +
         "\r\nContent-Type: " + page.content_type +
         "\r\nContent-Length: " + std::to_string(page.body.size()) +
         "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n" + (with_body ? page.body : "");
}

/// sin_port and sin6_port stand at the same place.
std::uint16_t port_of(int socket) {
  SocketAddress bound;
  bound.size = sizeof bound.storage;
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&bound.storage), &bound.size);
  return ntohs(reinterpret_cast<const sockaddr_in*>(&bound.storage)->sin_port);
}

Result<Fd> open_listener(const IpAddress& address, std::uint16_t port) {
  const std::string what = "listen on " + address.to_string() + " port " + std::to_string(port);
  Fd fd(::socket(address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail_errno(errno, what);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const SocketAddress self = to_socket_address(address, port);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&self.storage), self.size) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return fail_errno(errno, what);
  }
  return fd;
}

}  // namespace

/// From accept(2) to the last byte of the answer.
class PageServer::Connection {
 public:
  Connection(PageServer& server, std::uint64_t key, Fd fd) : server_(server), key_(key), fd_(std::move(fd)) {}

  Status begin() {
    HOLDFAST_TRY(watch_, server_.loop_.watch(fd_.get(), {.readable = true},
                                             [this](Readiness readiness) { turn(readiness); }));
    deadline_ = server_.loop_.after(kPatience, [this] { server_.end(key_); });
    return {};
  }

 private:
  void turn(Readiness readiness) {
    // the last call of each way may end this object
    if (answer_.empty()) {
      if (readiness.readable) read();
    } else if (readiness.writable) {
      write();
    }
  }

  void read() {
    std::array<char, 4096> buffer{};
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return server_.end(key_);
    head_.append(buffer.data(), static_cast<std::size_t>(got));
    const Result<std::optional<RequestHead>> head = parse_request_head(head_);
    if (!head) {
      const int status = head.error().code == Code::kResourceExhausted ? 431 : 400;
      return answer({status, head.error().message + "\n"}, true);
    }
    if (!head->has_value()) return;
    if ((*head)->method != "GET" && (*head)->method != "HEAD") {
      return answer({405, "GET and HEAD only\n"}, true);
    }
    const bool with_body = (*head)->method == "GET";
    RequestHead asked = **head;
    asked.method = "GET";
    answer(server_.handler_(asked), with_body);
  }

  void answer(const Page& page, bool with_body) {
    answer_ = answer_of(page, with_body);
    if (!watch_.change({.readable = false, .writable = true})) return server_.end(key_);
    write();
  }

  void write() {
    while (sent_ < answer_.size()) {
      const ssize_t put = ::send(fd_.get(), answer_.data() + sent_, answer_.size() - sent_, MSG_NOSIGNAL);
      if (put < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (put < 0) return server_.end(key_);
      sent_ += static_cast<std::size_t>(put);
    }
    ::shutdown(fd_.get(), SHUT_WR);
    server_.end(key_);
  }

  PageServer& server_;
  std::uint64_t key_;
  Fd fd_;
  EventLoop::Watch watch_;
  EventLoop::Timer deadline_;
  std::string head_;
  std::string answer_;
  std::size_t sent_ = 0;
};

PageServer::PageServer(EventLoop& loop, Fd listener, std::uint16_t port, Handler handler)
    : loop_(loop), listener_(std::move(listener)), port_(port), handler_(std::move(handler)) {}

PageServer::~PageServer() = default;

Result<std::unique_ptr<PageServer>> PageServer::listen(EventLoop& loop, const IpAddress& address,
                                                       std::uint16_t port, Handler handler) {
  HOLDFAST_TRY(Fd listener, open_listener(address, port));
  const std::uint16_t bound = port_of(listener.get());
  std::unique_ptr<PageServer> server(new PageServer(loop, std::move(listener), bound, std::move(handler)));
  HOLDFAST_TRY(server->watch_, loop.watch(server->listener_.get(), {.readable = true},
                                          [raw = server.get()](Readiness) { raw->accept(); }));
  return server;
}

void PageServer::accept() {
  Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd.valid()) {
    // with no descriptors left the socket would stay readable: it rests
    const bool none_left = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    if (none_left && watch_.change({})) {
      rest_ = loop_.after(kRest, [this] { static_cast<void>(watch_.change({.readable = true})); });
    }
    return;
  }
  if (connections_.size() >= kMaxConnections) connections_.erase(connections_.begin());
  const std::uint64_t key = ++last_key_;
  auto connection = std::make_unique<Connection>(*this, key, std::move(fd));
  if (connection->begin()) connections_.emplace(key, std::move(connection));
}

void PageServer::end(std::uint64_t key) { connections_.erase(key); }

}  // namespace holdfast::http
