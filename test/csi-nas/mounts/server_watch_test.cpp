#include "csi-nas/mounts/server_watch.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <functional>
#include <thread>

#include "test/catch.h"
#include "test/fakes/fake_clock.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::nas {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A server on 127.0.0.1 that answers when it is told.
class TestServer {
 public:
  TestServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(2049);
    const int yes = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    const void* raw = &address;
    REQUIRE(::bind(listener_.get(), static_cast<const sockaddr*>(raw), sizeof(address)) == 0);
    REQUIRE(::listen(listener_.get(), 8) == 0);
  }

  /// Takes what has come, and answers each call when it may.
  void serve(bool answers) {
    if (Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        client.valid()) {
      client_ = std::move(client);
      ++connections;
    }
    std::array<char, 44> call{};
    if (!client_.valid() || ::recv(client_.get(), call.data(), call.size(), 0) != 44) return;
    ++calls;
    if (!answers) return;
    std::array<char, 28> reply{};
    const std::uint32_t mark = htonl(0x80000018);
    const std::uint32_t is_reply = htonl(1);
    std::memcpy(reply.data(), &mark, 4);
    std::memcpy(reply.data() + 4, call.data() + 4, 4);
    std::memcpy(reply.data() + 8, &is_reply, 4);
    REQUIRE(::send(client_.get(), reply.data(), reply.size(), MSG_NOSIGNAL) == 28);
  }
  void hang_up() { client_.reset(); }

  int connections = 0;
  int calls = 0;

 private:
  Fd listener_;
  Fd client_;
};

struct WatchScene {
  WatchScene() { holdfast::test::output_of("ip link set lo up"); }

  /// Turns the loop until `holds`; false when it does not within a real second.
  bool turn_until(const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + seconds(1);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end) return false;
      if (server) server->serve(answers);
      REQUIRE(loop->turn(milliseconds(0)).has_value());
    }
    return true;
  }
  bool becomes(ServerState state) {
    return turn_until([&] { return watch.health(here).state == state; });
  }
  /// As the driver does: it tells the servers in use, now and then.
  void use() { watch.keep({here}); }

  const ServerAddress here{"127.0.0.1", 2049};
  holdfast::test::FreshNetns netns;
  holdfast::test::FakeClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  std::unique_ptr<TestServer> server;
  bool answers = true;
  ServerWatch watch{*loop};
};

TEST_CASE_METHOD(WatchScene, "a server that answers is alive, asked over one connection", "[nas]") {
  server = std::make_unique<TestServer>();
  CHECK(watch.health(here).state == ServerState::kUnknown);
  use();
  REQUIRE(becomes(ServerState::kAlive));
  for (int calls = 2; calls < 5; ++calls) {
    clock.advance(seconds(3));
    REQUIRE(turn_until([&] { return server->calls == calls; }));
    use();
  }
  CHECK(server->connections == 1);
  CHECK(watch.all().size() == 1);
}

TEST_CASE_METHOD(WatchScene,
                 "a server that falls silent is suspect, then dead, and alive with its next answer",
                 "[nas]") {
  server = std::make_unique<TestServer>();
  use();
  REQUIRE(becomes(ServerState::kAlive));
  answers = false;
  clock.advance(seconds(3));
  REQUIRE(turn_until([&] { return server->calls == 2; }));
  CHECK(watch.health(here).state == ServerState::kAlive);
  clock.advance(seconds(2));
  REQUIRE(becomes(ServerState::kSuspect));
  REQUIRE(turn_until([&] { return server->calls == 3; }));
  clock.advance(seconds(2));
  REQUIRE(becomes(ServerState::kDead));
  CHECK(watch.health(here).silence == seconds(7));
  answers = true;
  clock.advance(seconds(1));
  REQUIRE(becomes(ServerState::kAlive));
  CHECK(watch.health(here).silence < seconds(1));
}

TEST_CASE_METHOD(WatchScene, "a server that refuses connections is dead at once, and alive when it serves",
                 "[nas]") {
  use();
  REQUIRE(becomes(ServerState::kDead));
  CHECK(ailment_of(watch.health(here)) == "refuses connections: is NFS running there, on that port?");
  server = std::make_unique<TestServer>();
  clock.advance(seconds(1));
  REQUIRE(becomes(ServerState::kAlive));
  CHECK(watch.health(here).error == 0);
}

TEST_CASE_METHOD(WatchScene, "a server behind an interface that is not there is dead, and why is told",
                 "[nas]") {
  const ServerAddress far{"fe80::1%nope", 2049};
  watch.keep({far});
  REQUIRE(turn_until([&] { return watch.health(far).state == ServerState::kDead; }));
  CHECK(ailment_of(watch.health(far)).find("no network interface") != std::string::npos);
}

TEST_CASE_METHOD(WatchScene, "a server that closes an idle connection is asked over another", "[nas]") {
  server = std::make_unique<TestServer>();
  use();
  REQUIRE(becomes(ServerState::kAlive));
  server->hang_up();
  for (int turns = 0; turns < 20; ++turns) REQUIRE(loop->turn(milliseconds(1)).has_value());
  clock.advance(seconds(3));
  REQUIRE(turn_until([&] { return server->calls == 2; }));
  CHECK(server->connections == 2);
  CHECK(watch.health(here).state == ServerState::kAlive);
}

TEST_CASE_METHOD(WatchScene, "who suspects a server has it asked at once", "[nas]") {
  server = std::make_unique<TestServer>();
  use();
  REQUIRE(becomes(ServerState::kAlive));
  watch.suspect(here);
  CHECK(watch.health(here).state == ServerState::kSuspect);
  REQUIRE(becomes(ServerState::kAlive));
  CHECK(server->calls == 2);
}

TEST_CASE_METHOD(WatchScene, "a server that nobody uses is forgotten", "[nas]") {
  server = std::make_unique<TestServer>();
  use();
  REQUIRE(becomes(ServerState::kAlive));
  watch.keep({});
  clock.advance(seconds(59));
  watch.keep({});
  CHECK(watch.all().size() == 1);
  clock.advance(seconds(1));
  watch.keep({});
  CHECK(watch.all().empty());
}

TEST_CASE_METHOD(WatchScene, "who waits for a server hears of it as soon as it has answered", "[nas]") {
  server = std::make_unique<TestServer>();
  ServerHealth seen;
  std::thread waiter([&] { seen = watch.settled(here, seconds(20)); });
  const bool alive = becomes(ServerState::kAlive);
  waiter.join();
  REQUIRE(alive);
  CHECK(seen.state == ServerState::kAlive);
  CHECK(watch.settled({"not an address", 1}, milliseconds(1)).state == ServerState::kUnknown);
}

}  // namespace
}  // namespace holdfast::nas
