#include "common/cloud/sim/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace holdfast::cloud::sim {
namespace {

constexpr int kBacklog = 128;
constexpr std::size_t kPiece = std::size_t{16} << 10;

std::string http_date(std::chrono::sys_seconds time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), size};
}

std::string to_bytes(const ServerReply& reply, std::chrono::sys_seconds now) {
  std::string out = "HTTP/1.1 " + std::to_string(reply.status) +
                    " x\r\nContent-Type: application/json\r\nDate: " + http_date(now) +
                    "\r\nContent-Length: " + std::to_string(reply.body.size()) + "\r\n";
  if (!reply.retry_after.empty()) out += "Retry-After: " + reply.retry_after + "\r\n";
  return out + "\r\n" + reply.body;
}

}  // namespace

// One client. Its requests are answered in their order; what comes during an answer's delay waits.
class Server::Connection {
 public:
  Connection(Server& server, std::uint64_t key, Fd fd) : server_(server), key_(key), fd_(std::move(fd)) {
    auto watch = server_.loop_.watch(fd_.get(), {.readable = true, .writable = false},
                                     [this](Readiness ready) { act(ready); });
    if (watch) watch_ = *std::move(watch);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() = default;

 private:
  void act(Readiness ready) {
    if (ready.readable && !receive()) return server_.end(key_);
    if (ready.writable && !send()) return server_.end(key_);
    if (!serve()) server_.end(key_);
  }

  bool receive() {
    std::array<char, kPiece> piece{};
    const ssize_t size = ::recv(fd_.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    received_.append(piece.data(), static_cast<std::size_t>(size));
    return size > 0;
  }

  bool send() {
    while (!to_send_.empty()) {
      const ssize_t size = ::send(fd_.get(), to_send_.data(), to_send_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (size < 0 && errno != EAGAIN && errno != EINTR) return false;
      if (size < 0) break;
      to_send_.erase(0, static_cast<std::size_t>(size));
    }
    return static_cast<bool>(watch_.change({.readable = true, .writable = !to_send_.empty()}));
  }

  // False: the connection is over.
  bool serve() {
    while (!busy_) {
      Result<std::optional<ReceivedRequest>> next = parse_request(received_);
      if (!next) return false;
      if (!*next) return true;
      received_.erase(0, (*next)->size);
      ServerReply reply = server_.handler_((*next)->request);
      if (reply.delay > std::chrono::milliseconds::zero()) {
        busy_ = true;
        later_ = server_.loop_.after(reply.delay, [this, reply] {
          busy_ = false;
          if (!answer(reply) || !serve()) server_.end(key_);
        });
        return true;
      }
      if (!answer(reply)) return false;
    }
    return true;
  }

  bool answer(const ServerReply& reply) {
    if (reply.drop) return false;
    to_send_ += to_bytes(reply, server_.clock_.now());
    return send();
  }

  Server& server_;
  std::uint64_t key_;
  Fd fd_;
  bool busy_ = false;
  std::string received_;
  std::string to_send_;
  EventLoop::Timer later_;
  EventLoop::Watch watch_;
};

Server::Server(EventLoop& loop, Clock& clock, Fd listener, std::uint16_t port, Handler handler)
    : loop_(loop), clock_(clock), listener_(std::move(listener)), port_(port), handler_(std::move(handler)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::listen(EventLoop& loop, Clock& clock, std::uint16_t port,
                                               Handler handler) {
  const std::string what = "listen on 127.0.0.1 port " + std::to_string(port);
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int one = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const bytes = reinterpret_cast<sockaddr*>(&address);
  if (!fd.valid() || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
      ::bind(fd.get(), bytes, size) != 0 || ::listen(fd.get(), kBacklog) != 0 ||
      ::getsockname(fd.get(), bytes, &size) != 0) {
    return fail_errno(errno, what);
  }
  const int listener = fd.get();
  std::unique_ptr<Server> server(
      new Server(loop, clock, std::move(fd), ntohs(address.sin_port), std::move(handler)));
  HOLDFAST_TRY(server->watch_, loop.watch(listener, {.readable = true, .writable = false},
                                          [it = server.get()](Readiness) { it->accept(); }));
  return server;
}

std::string Server::url() const { return "http://127.0.0.1:" + std::to_string(port_); }

void Server::end(std::uint64_t key) { connections_.erase(key); }

void Server::accept() {
  Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd.valid()) return;
  const int one = 1;
  static_cast<void>(::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
  const std::uint64_t key = ++last_key_;
  connections_.emplace(key, std::make_unique<Connection>(*this, key, std::move(fd)));
}

}  // namespace holdfast::cloud::sim
