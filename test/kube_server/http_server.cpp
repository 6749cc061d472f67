#include "test/kube_server/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <exception>
#include <optional>
#include <utility>

namespace holdfast::test {
namespace {

constexpr std::size_t kReadSize = 65536;
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr int kHexBase = 16;

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const bool escaped =
        text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, value, kHexBase).ec == std::errc();
    out.push_back(escaped ? static_cast<char>(value) : text[i] == '+' ? ' ' : text[i]);
    i += escaped ? 2 : 0;
  }
  return out;
}

// Calls `each` with the parts of `text` between `separator`s.
void split(std::string_view text, std::string_view separator,
           const std::function<void(std::string_view)>& each) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    each(text.substr(0, end));
    text.remove_prefix(std::min(end + separator.size(), text.size()));
  }
}

void take_header(ServerRequest& request, std::string_view line) {
  const std::size_t colon = std::min(line.find(':'), line.size());
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string_view value = line.substr(std::min(colon + 1, line.size()));
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  request.headers[name] = value;
}

template <class Address>
Fd listen_at(const Address& address) {
  Fd fd(::socket(reinterpret_cast<const sockaddr&>(address).sa_family,
                 SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int again = 1;  // after another server on the same port
  static_cast<void>(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &again, sizeof(again)));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(fd.get(), SOMAXCONN) != 0) {
    std::terminate();
  }
  return fd;
}

Fd listen_on_socket(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof(address.sun_path)) {
    std::terminate();
  }
  std::ranges::copy(path.native(), std::begin(address.sun_path));
  return listen_at(address);
}

Fd listen_on_port(const ListenAt& at, std::string& url) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(at.port);
  if (::inet_pton(AF_INET, at.address.c_str(), &address.sin_addr) != 1) {
    std::terminate();
  }
  Fd fd = listen_at(address);
  socklen_t size = sizeof(address);
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  url = "http://" + at.address + ":" + std::to_string(ntohs(address.sin_port));
  return fd;
}

}  // namespace

ServerRequest parse_request_head(std::string_view head) {
  ServerRequest request;
  const std::size_t line_end = head.find("\r\n");
  const std::string_view line = head.substr(0, line_end);
  const std::size_t method_end = std::min(line.find(' '), line.size());
  request.method = line.substr(0, method_end);
  const std::string_view target = line.substr(method_end + 1, line.rfind(' ') - method_end - 1);
  const std::size_t question = std::min(target.find('?'), target.size());
  request.path = unescape(target.substr(0, question));
  split(target.substr(std::min(question + 1, target.size())), "&", [&](std::string_view pair) {
    const std::size_t equals = std::min(pair.find('='), pair.size());
    request.query[unescape(pair.substr(0, equals))] =
        unescape(pair.substr(std::min(equals + 1, pair.size())));
  });
  if (line_end != std::string_view::npos) {
    split(head.substr(line_end + 2), "\r\n", [&](std::string_view each) { take_header(request, each); });
  }
  return request;
}

// One client. Kept by the server; ends itself when the client has gone.
class Responder::Connection {
 public:
  Connection(HttpServer& server, std::uint64_t id, Fd fd) : server_(server), id_(id), fd_(std::move(fd)) {}

  void watch(std::weak_ptr<Connection> self) {
    self_ = std::move(self);
    auto watched =
        server_.loop_.watch(fd_.get(), {.readable = true}, [this](Readiness ready) { on_ready(ready); });
    if (!watched) {
      std::terminate();
    }
    watch_ = *std::move(watched);
  }

  void send(std::string_view bytes) {
    output_ += bytes;
    flush();
  }
  void request_done() {
    answering_ = false;
    // The next request may be here already; not from within the handler of this one.
    next_ = server_.loop_.after({}, [this] { serve(); });
  }
  void drop_after_sending() {
    dropping_ = true;
    flush();
  }

 private:
  void on_ready(Readiness ready) {
    const auto alive = self_.lock();
    if (ready.writable) {
      flush();
    }
    if (ready.readable && watch_.active()) {
      receive();
    }
  }

  void receive() {
    std::array<char, kReadSize> buffer{};
    const ssize_t count = ::read(fd_.get(), buffer.data(), buffer.size());
    if (count <= 0) {
      if (count == 0 || errno != EAGAIN) {
        close();
      }
      return;
    }
    server_.bytes_received += static_cast<std::uint64_t>(count);
    input_.append(buffer.data(), static_cast<std::size_t>(count));
    serve();
  }

  void serve() {
    const std::size_t head_end = input_.find(kHeadEnd);
    if (answering_ || head_end == std::string::npos) {
      return;
    }
    ServerRequest request = parse_request_head(std::string_view(input_).substr(0, head_end));
    std::size_t length = 0;
    if (const auto found = request.headers.find("content-length"); found != request.headers.end()) {
      std::from_chars(found->second.data(), found->second.data() + found->second.size(), length);
    }
    const std::size_t begin = head_end + kHeadEnd.size();
    if (input_.size() < begin + length) {
      return;
    }
    request.body = input_.substr(begin, length);
    input_.erase(0, begin + length);
    answering_ = true;
    server_.handler_(request, Responder(self_));
  }

  void flush() {
    const auto alive = self_.lock();
    while (!output_.empty()) {
      const ssize_t count = ::send(fd_.get(), output_.data(), output_.size(), MSG_NOSIGNAL);
      if (count < 0) {
        if (errno != EAGAIN) {
          close();
          return;
        }
        break;
      }
      server_.bytes_sent += static_cast<std::uint64_t>(count);
      output_.erase(0, static_cast<std::size_t>(count));
    }
    if (dropping_ && output_.empty()) {
      close();
    } else if (watch_.active()) {
      static_cast<void>(watch_.change({.readable = true, .writable = !output_.empty()}));
    }
  }

  void close() {
    watch_.end();
    server_.connections_.erase(id_);
  }

  HttpServer& server_;
  std::uint64_t id_;
  Fd fd_;
  EventLoop::Watch watch_;
  EventLoop::Timer next_;
  std::weak_ptr<Connection> self_;
  std::string input_;
  std::string output_;
  bool answering_ = false;
  bool dropping_ = false;
};

void Responder::raw(std::string_view bytes) {
  if (const auto connection = connection_.lock()) {
    connection->send(bytes);
  }
}

void Responder::whole(int status, std::string_view body, const Headers& headers) {
  Headers all = headers;
  all.emplace_back("Content-Length", std::to_string(body.size()));
  std::string head = "HTTP/1.1 " + std::to_string(status) + " Answer\r\n";
  for (const auto& [name, value] : all) {
    head += name + ": " + value + "\r\n";
  }
  head += "\r\n";
  head += body;
  raw(head);
  if (const auto connection = connection_.lock()) {
    connection->request_done();
  }
}

void Responder::begin(int status, const Headers& headers) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " Answer\r\nTransfer-Encoding: chunked\r\n";
  for (const auto& [name, value] : headers) {
    head += name + ": " + value + "\r\n";
  }
  raw(head + "\r\n");
}

void Responder::chunk(std::string_view bytes) {
  std::array<char, 2 * sizeof(std::size_t)> digits{};
  char* const first = digits.data();
  std::string framed(first, std::to_chars(first, first + digits.size(), bytes.size(), kHexBase).ptr);
  framed += "\r\n";
  framed += bytes;
  raw(framed + "\r\n");
}

void Responder::end() {
  raw("0\r\n\r\n");
  if (const auto connection = connection_.lock()) {
    connection->request_done();
  }
}

void Responder::drop() {
  if (const auto connection = connection_.lock()) {
    connection->drop_after_sending();
  }
}

HttpServer::HttpServer(EventLoop& loop, Handler handler, const ListenAt& at)
    : loop_(loop), handler_(std::move(handler)) {
  if (at.unix_socket.empty()) {
    listener_ = listen_on_port(at, url_);
  } else {
    listener_ = listen_on_socket(at.unix_socket);
    url_ = "unix://" + at.unix_socket.string();
  }
  auto watch = loop.watch(listener_.get(), {.readable = true}, [this](Readiness) { accept(); });
  if (!watch) {
    std::terminate();
  }
  watch_ = *std::move(watch);
}

HttpServer::~HttpServer() { watch_.end(); }

void HttpServer::accept() {
  Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd.valid()) {
    return;
  }
  const int at_once = 1;
  static_cast<void>(::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof(at_once)));
  const std::uint64_t id = ++accepted;
  const auto connection = std::make_shared<Responder::Connection>(*this, id, std::move(fd));
  connections_.emplace(id, connection);
  connection->watch(connection);
}

void HttpServer::drop_all() { connections_.clear(); }

}  // namespace holdfast::test
