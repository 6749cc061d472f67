#include "csi-nas/mounts/server_calls.h"

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "test/catch.h"
#include "test/csi-nas/mounts/fake_calls.h"

namespace holdfast::nas {
namespace {

using std::chrono::milliseconds;

const ServerAddress kServer{"10.0.0.5"};
const ServerAddress kOther{"10.0.0.6"};

struct Scene {
  Status ask(milliseconds patience, const std::function<Status(milliseconds)>& call) {
    return calls.ask(kServer, calls.deadline(patience), call);
  }
  test::FakeServers servers;
  SystemClock clock;
  ServerCalls calls{servers, clock};
};

TEST_CASE_METHOD(Scene, "calls to one server are made one at a time, and those to another beside them",
                 "[nas]") {
  std::atomic<int> at_once = 0;
  std::atomic<int> most = 0;
  std::atomic<int> done = 0;
  const auto call = [&](milliseconds) -> Status {
    most = std::max<int>(most, ++at_once);
    std::this_thread::yield();
    // While this one is made, which no other of the server may be.
    const Status beside =
        calls.ask(kOther, calls.deadline(std::chrono::minutes(1)), [](auto) { return Status{}; });
    --at_once;
    return beside;
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 20; ++n) done += ask(std::chrono::minutes(1), call).has_value() ? 1 : 0;
    });
  }
  for (std::thread& each : threads) each.join();
  CHECK(done == 160);
  CHECK(most == 1);
}

/// One that was alive when it was asked for, and is suspect now.
class LateServer final : public ServerStates {
 public:
  [[nodiscard]] ServerHealth health(const ServerAddress& /*server*/) const override {
    return {.state = ServerState::kSuspect};
  }
  [[nodiscard]] ServerHealth settled(const ServerAddress& /*server*/, std::chrono::nanoseconds) override {
    return {.state = ServerState::kAlive};
  }
  void suspect(const ServerAddress& /*server*/) override {}
};

TEST_CASE("a server that another call has found late is not asked in the time that is left", "[nas]") {
  LateServer servers;
  SystemClock clock;
  ServerCalls calls{servers, clock};
  int made = 0;
  const auto call = [&made](milliseconds) {
    ++made;
    return Status{};
  };
  const Status done = calls.ask(kServer, calls.deadline(milliseconds(900)), call);
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().message.find("before this one have taken its time") != std::string::npos);
  CHECK(made == 0);
  CHECK(calls.ask(kServer, calls.deadline(std::chrono::minutes(1)), call).has_value());
}

TEST_CASE_METHOD(Scene, "a request that the server fails is asked for again, and no loss of data", "[nas]") {
  for (const int number : {EIO, EREMOTEIO}) {
    CAPTURE(number);
    const Status asked = ask(std::chrono::minutes(1),
                             [&](milliseconds) -> Status { return fail_errno(number, "look at /x"); });
    REQUIRE_FALSE(asked);
    CHECK(asked.error().code == Code::kUnavailable);
    CHECK(asked.error().sys_errno == number);
    CHECK_THAT(asked.error().message, Catch::StartsWith("the NFS server 10.0.0.5:2049 has failed a request"));
  }
  const Status denied =
      ask(std::chrono::minutes(1), [](milliseconds) -> Status { return fail_errno(EACCES, "look"); });
  CHECK(denied.error().code == Code::kPermissionDenied);
}

TEST_CASE_METHOD(Scene, "a call for which others have left no time says nothing of its server", "[nas]") {
  const auto late = [](milliseconds) {
    return Status(fail(Code::kDeadlineExceeded, "the server has not answered"));
  };
  for (const int patience : {0, 50, 900}) {
    const Status done = ask(milliseconds(patience), late);
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().code == Code::kUnavailable);
    CHECK(done.error().message ==
          "calls to the NFS server 10.0.0.5:2049 before this one have taken its time: ask again");
  }
  CHECK(servers.suspected.empty());
  CHECK(ask(milliseconds(3000), late).error().message == "the server has not answered");
  CHECK(servers.suspected == std::vector<std::string>{"10.0.0.5"});
}

}  // namespace
}  // namespace holdfast::nas
