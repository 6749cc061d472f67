#include "common/http/page_server.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "test/catch.h"
#include "test/fakes/fake_clock.h"

namespace holdfast::http {
namespace {

struct Served {
  Served() {
    server = PageServer::listen(*loop, IpAddress::v4({127, 0, 0, 1}), 0, [this](const RequestHead& head) {
               asked = head;
               return head.path == "/big" ? Page{200, std::string(4 << 20, 'x')} : page;
             }).value();
  }

  [[nodiscard]] Fd connect() const {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(server->port());
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    return fd;
  }
  void turn(int times = 4) {
    for (int i = 0; i < times; ++i) REQUIRE(loop->turn(std::chrono::milliseconds(0)).has_value());
  }
  /// All that the server sends on `fd` until it closes.
  std::string rest_of(const Fd& fd) {
    std::string out;
    std::array<char, 65536> buffer{};
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < end) {
      turn(1);
      const ssize_t got = ::recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got == 0) return out;
      if (got > 0) out.append(buffer.data(), static_cast<std::size_t>(got));
      if (got < 0 && errno != EAGAIN) return out + "(reset)";
    }
    return out + "(open)";
  }
  std::string ask(const std::string& request) {
    const Fd fd = connect();
    REQUIRE(::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(request.size()));
    return rest_of(fd);
  }

  test::FakeClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  Page page{503, "not yet\n"};
  RequestHead asked;
  std::unique_ptr<PageServer> server;
};

TEST_CASE_METHOD(Served, "A page is answered, and the connection ends with it", "[http]") {
  CHECK(ask("GET /readyz?verbose HTTP/1.1\r\nHost: x\r\n\r\n") ==
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 8\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\nnot yet\n");
  CHECK(asked == RequestHead{"GET", "/readyz", "verbose"});
  const std::string head = ask("HEAD / HTTP/1.1\r\n\r\n");
  CHECK_THAT(head, Catch::Contains("Content-Length: 8\r\n") && Catch::EndsWith("\r\n\r\n"));
  CHECK(server->connections() == 0);
}

TEST_CASE_METHOD(Served, "Nonsense and other methods are answered with a status", "[http]") {
  CHECK_THAT(ask("POST / HTTP/1.1\r\n\r\n"), Catch::StartsWith("HTTP/1.1 405 "));
  CHECK_THAT(ask("hello\r\n\r\n"), Catch::StartsWith("HTTP/1.1 400 "));
  CHECK_THAT(ask("GET / HTTP/1.1\r\nA: " + std::string(kMaxHeadBytes, 'a')),
             Catch::StartsWith("HTTP/1.1 431 "));
}

TEST_CASE_METHOD(Served, "A page that does not fit into the socket arrives whole", "[http]") {
  const std::string answer = ask("GET /big HTTP/1.1\r\n\r\n");
  CHECK(answer.size() > std::size_t{4} << 20);
  CHECK_THAT(answer.substr(answer.size() - 16), Catch::Equals(std::string(16, 'x')));
}

TEST_CASE_METHOD(Served, "A client that says nothing, or does not read, is let go after a while", "[http]") {
  const Fd silent = connect();
  const Fd slow = connect();
  const std::string request = "GET /big HTTP/1.1\r\n\r\n";
  REQUIRE(::send(slow.get(), request.data(), request.size(), 0) > 0);
  turn();
  CHECK(server->connections() == 2);
  clock.advance(PageServer::kPatience);
  turn();
  CHECK(server->connections() == 0);
  CHECK(rest_of(silent).empty());
}

TEST_CASE_METHOD(Served, "Of too many clients the newest are served", "[http]") {
  std::vector<Fd> idle;
  for (std::size_t i = 0; i < PageServer::kMaxConnections + 5; ++i) {
    idle.push_back(connect());
    turn(2);
  }
  CHECK(server->connections() == PageServer::kMaxConnections);
  CHECK_THAT(ask("GET / HTTP/1.1\r\n\r\n"), Catch::StartsWith("HTTP/1.1 503 "));
  CHECK(rest_of(idle.front()).empty());
}

TEST_CASE_METHOD(Served, "An address that is taken is an error that names it", "[http]") {
  const auto again = PageServer::listen(*loop, IpAddress::v4({127, 0, 0, 1}), server->port(),
                                        [](const RequestHead&) { return Page{}; });
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().sys_errno == EADDRINUSE);
  CHECK_THAT(again.error().message,
             Catch::StartsWith("listen on 127.0.0.1 port " + std::to_string(server->port()) + ": "));
}

}  // namespace
}  // namespace holdfast::http
