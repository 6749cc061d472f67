#include "common/cloud/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>

#include "common/base/fd.h"
#include "common/cloud/sim/request.h"
#include "test/catch.h"

namespace holdfast::cloud {
namespace {

constexpr std::chrono::milliseconds kPatient{5000};
constexpr std::string_view kAnswer = "HTTP/1.1 200 x\r\nContent-Length: 2\r\n\r\n{}";

enum class After : std::uint8_t {
  kKeep,   ///< answers and waits for more
  kClose,  ///< answers and closes
  kDrop,   ///< closes without an answer
};

/// A server on 127.0.0.1 that counts the requests that come in. The n-th is dealt with as `plan` says, those
/// beyond it are answered. One connection at a time.
class CountingServer {
 public:
  explicit CountingServer(std::vector<After> plan)
      : plan_(std::move(plan)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const bytes = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listener_.get(), bytes, size) == 0);
    REQUIRE(::listen(listener_.get(), 8) == 0);
    REQUIRE(::getsockname(listener_.get(), bytes, &size) == 0);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
    thread_ = std::thread([this] { run(); });
  }
  CountingServer(const CountingServer&) = delete;
  CountingServer& operator=(const CountingServer&) = delete;
  ~CountingServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] std::size_t arrived() const { return arrived_; }

 private:
  void run() {
    for (;;) {
      const Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client.valid()) return;
      while (serve(client)) {
      }
    }
  }

  // Whether the connection goes on.
  bool serve(const Fd& client) {
    std::string received;
    for (;;) {
      const auto whole = sim::parse_request(received);
      if (!whole) return false;
      if (*whole) break;
      std::array<char, 4096> piece{};
      const ssize_t size = ::recv(client.get(), piece.data(), piece.size(), 0);
      if (size <= 0) return false;
      received.append(piece.data(), static_cast<std::size_t>(size));
    }
    const std::size_t number = arrived_++;
    const After after = number < plan_.size() ? plan_[number] : After::kKeep;
    if (after == After::kDrop) return false;
    static_cast<void>(::send(client.get(), kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL));
    return after == After::kKeep;
  }

  const std::vector<After> plan_;
  Fd listener_;
  std::string url_;
  std::atomic<std::size_t> arrived_{0};
  std::thread thread_;
};

TEST_CASE("a request that a kept connection took, and no answer came back, is not sent again", "[cloud]") {
  struct Case {
    const char* name;
    const char* method;
    const char* body;
  };
  const Case cases[] = {
      {"GET", "GET", ""}, {"POST", "POST", R"({"a": 1})"}, {"POST without body", "POST", ""}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      CountingServer server({After::kKeep, After::kDrop});
      CurlClient client("test");
      const HttpRequest request{.method = c.method, .url = server.url(), .body = c.body};
      REQUIRE(client.exchange(request, kPatient));
      const auto lost = client.exchange(request, kPatient);
      REQUIRE_FALSE(lost);
      CHECK(lost.error().end == CallEnd::kUnknownOutcome);
      CHECK(lost.error().message.find("the connection ended without an answer") != std::string::npos);
      CHECK(server.arrived() == 2);
      CHECK(client.exchange(request, kPatient));
      CHECK(server.arrived() == 3);
    }
  }
}

TEST_CASE("a connection that the server closed while it was idle costs no request", "[cloud]") {
  CountingServer server({After::kClose, After::kClose, After::kKeep});
  CurlClient client("test");
  for (std::size_t n = 1; n <= 3; ++n) {
    CHECK(client.exchange({.method = "POST", .url = server.url()}, kPatient));
    CHECK(server.arrived() == n);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // for its end to come
  }
}

}  // namespace
}  // namespace holdfast::cloud
