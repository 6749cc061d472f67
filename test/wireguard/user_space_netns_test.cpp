#include <sys/types.h>

#include <csignal>
#include <string>

#include "common/wireguard/user_space.h"
#include "test/wireguard/machine.h"

// What is wireguard-go's alone; the rest is in tunnel_contract_test.cpp.
namespace holdfast::wireguard::test {
namespace {

using holdfast::test::output_in;

/// wireguard-go of this namespace; -1: none.
pid_t process_of(const Machine& machine) {
  const std::string found = output_in(
      machine.netns.get(),
      "here=$(readlink /proc/self/ns/net); for p in /proc/[0-9]*; do if [ \"$(readlink $p/ns/net "
      "2>/dev/null)\" "
      "= \"$here\" ] && [ \"$(cat $p/comm 2>/dev/null)\" = wireguard-go ]; then basename $p; fi; done");
  return found.empty() ? -1 : static_cast<pid_t>(std::stoi(found));
}

TEST_CASE_METHOD(Two, "a tunnel outlives who made it, and the next one takes it as it is", "[wireguard]") {
  connect();
  SystemClock clock;
  SystemExecutor executor;
  UserSpaceWireGuard next(executor, clock, "/does/not/exist", left.run / "wireguard");
  CHECK(left.in([&] { return apply(next, "wg0", at_left()); }).has_value());
  CHECK(pings());
}

TEST_CASE_METHOD(Two, "a process that was killed is started again", "[wireguard]") {
  connect();
  const pid_t pid = process_of(left);
  REQUIRE(pid > 1);
  ::kill(pid, SIGKILL);
  SystemClock clock;
  for (int tries = 0; tries < 4000 && process_of(left) == pid; ++tries)
    clock.sleep(std::chrono::milliseconds(5));
  CHECK(left.in([&] { return left.wireguard->read("wg0"); }).error().code == Code::kNotFound);
  connect();
  CHECK(process_of(left) != pid);
}

TEST_CASE_METHOD(Two, "the wireguard-go of another namespace is not taken for one's own", "[wireguard]") {
  left.make(at_left());
  const Status elsewhere = right.in([&] { return left.wireguard->ensure("wg0"); });
  REQUIRE_FALSE(elsewhere.has_value());
  CHECK(elsewhere.error().message.find("a wireguard-go of another network namespace") != std::string::npos);
}

}  // namespace
}  // namespace holdfast::wireguard::test
