#include <sys/types.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <string>

#include "common/netlink/netns.h"
#include "common/wireguard/user_space.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::wireguard {
namespace {

using holdfast::test::output_in;
using std::chrono::seconds;

Cidr cidr(const std::string& text) { return Cidr::parse(text).value(); }

bool succeeds(int netns, const std::string& command) {
  return output_in(netns, "(" + command + ") >/dev/null 2>&1 && echo yes || true") == "yes\n";
}

/// A machine: a network namespace, and a folder that its processes have for /run.
struct Machine {
  explicit Machine(std::string tunnel) : tunnel_address(std::move(tunnel)) {}
  ~Machine() {
    static_cast<void>(nl::in_netns(netns.get(), [&] { return wireguard.remove("wg0"); }));
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  template <class F>
  auto in(F body) {
    return nl::in_netns(netns.get(), body);
  }
  void make(const TunnelSpec& spec) {
    const Status done = in([&] { return apply(wireguard, "wg0", spec); });
    INFO((done ? std::string() : done.error().message));
    REQUIRE(done.has_value());
    output_in(netns.get(), "ip addr replace " + tunnel_address + "/24 dev wg0 && ip link set wg0 up");
  }
  TunnelState state() {
    const auto read = in([&] { return wireguard.read("wg0"); });
    INFO((read ? std::string() : read.error().message));
    REQUIRE(read.has_value());
    return *read;
  }
  [[nodiscard]] TunnelSpec facing(const Machine& peer, std::uint16_t port) const {
    TunnelSpec out{key, port, 0, {}};
    out.peers.push_back({public_key_of(peer.key).value(), {}, {}, {cidr("10.9.0.0/24")}, {}});
    return out;
  }
  /// wireguard-go of this namespace.
  [[nodiscard]] pid_t process() const {
    const std::string found = output_in(
        netns.get(),
        "here=$(readlink /proc/self/ns/net); for p in /proc/[0-9]*; do if [ \"$(readlink $p/ns/net "
        "2>/dev/null)\" "
        "= \"$here\" ] && [ \"$(cat $p/comm 2>/dev/null)\" = wireguard-go ]; then basename $p; fi; done");
    return found.empty() ? -1 : static_cast<pid_t>(std::stoi(found));
  }

  Fd netns = holdfast::test::new_netns();
  holdfast::test::TemporaryFolder run;
  SystemClock clock;
  SystemExecutor executor;
  UserSpaceWireGuard wireguard{executor, clock, program(), run / "wireguard"};
  SecretKey key = SecretKey::generate().value();
  std::string tunnel_address;

 private:
  [[nodiscard]] std::string program() const {
    const std::string path = (run / "program").native();
    std::ofstream(path) << "#!/bin/sh\nexec unshare --mount sh -c 'mount --bind " + run.path().native() +
                               " /run; exec /usr/bin/wireguard-go \"$0\"' \"$1\"\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
};

/// Two of them with a link between.
struct Two {
  Two() {
    const std::string there =
        "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(right.netns.get());
    output_in(left.netns.get(), "ip link set lo up && ip link add eth0 type veth peer name eth0 netns " +
                                    there + " && ip addr add 192.0.2.1/24 dev eth0 && ip link set eth0 up");
    output_in(right.netns.get(), "ip addr add 192.0.2.2/24 dev eth0 && ip link set eth0 up");
  }
  [[nodiscard]] TunnelSpec at_left() const {
    TunnelSpec out = left.facing(right, 51820);
    out.peers.at(0).endpoint = Endpoint::parse("192.0.2.2:51821").value();
    return out;
  }
  void connect() {
    left.make(at_left());
    right.make(right.facing(left, 51821));
    REQUIRE(pings());
  }
  [[nodiscard]] bool pings() const { return succeeds(left.netns.get(), "ping -c 1 -w 30 10.9.0.2"); }

  Machine left{"10.9.0.1"};
  Machine right{"10.9.0.2"};
};

TEST_CASE_METHOD(Two, "a tunnel carries packets, and tells of its handshake, its bytes and its peer",
                 "[wireguard]") {
  connect();
  const TunnelState state = right.state();
  CHECK(state.private_key == right.key);
  CHECK(state.listen_port == 51821);
  REQUIRE(state.peers.size() == 1);
  CHECK(state.peers[0].peer.endpoint->to_string() == "192.0.2.1:51820");
  CHECK(state.peers[0].last_handshake.has_value());
  CHECK(state.peers[0].received_bytes > 0);
  CHECK(state.peers[0].sent_bytes > 0);
}

TEST_CASE_METHOD(Two, "the same again changes nothing, and what differs is changed in place", "[wireguard]") {
  connect();
  const PeerState before = left.state().peers.at(0);
  left.make(at_left());
  CHECK(left.state().peers.at(0).last_handshake == before.last_handshake);
  CHECK(left.state().peers.at(0).sent_bytes >= before.sent_bytes);

  const SecretKey preshared = SecretKey::generate().value();
  TunnelSpec other = at_left();
  other.fwmark = 77;
  other.peers.at(0).keepalive = seconds(30);
  other.peers.at(0).allowed = {cidr("10.9.0.0/24"), cidr("10.44.0.0/16"), cidr("fd44::/64")};
  other.peers.at(0).preshared = preshared;
  left.make(other);
  const TunnelState now = left.state();
  CHECK(plan(other, now).empty());
  CHECK(now.fwmark == 77);
  CHECK(now.peers.at(0).peer.preshared == preshared);

  TunnelSpec there = right.facing(left, 51821);
  there.peers.at(0).preshared = preshared;
  right.make(there);
  CHECK(pings());
}

TEST_CASE_METHOD(Two, "a key is exchanged for another, and a peer that is not wanted is gone",
                 "[wireguard]") {
  connect();
  left.key = SecretKey::generate().value();
  left.make(at_left());
  right.make(right.facing(left, 51821));
  CHECK(right.state().peers.size() == 1);
  CHECK(pings());
}

TEST_CASE_METHOD(Two, "a tunnel outlives who made it, and the next one takes it as it is", "[wireguard]") {
  connect();
  UserSpaceWireGuard next(left.executor, left.clock, "/does/not/exist", left.run / "wireguard");
  CHECK(left.in([&] { return apply(next, "wg0", at_left()); }).has_value());
  CHECK(pings());
}

TEST_CASE_METHOD(Two, "a process that was killed is started again", "[wireguard]") {
  connect();
  const pid_t pid = left.process();
  REQUIRE(pid > 1);
  ::kill(pid, SIGKILL);
  for (int tries = 0; tries < 4000 && left.process() == pid; ++tries)
    left.clock.sleep(std::chrono::milliseconds(5));
  CHECK(left.in([&] { return left.wireguard.read("wg0"); }).error().code == Code::kNotFound);
  connect();
  CHECK(left.process() != pid);
}

TEST_CASE_METHOD(Two, "what is removed is gone, and may be removed again", "[wireguard]") {
  connect();
  REQUIRE(left.in([&] { return left.wireguard.remove("wg0"); }).has_value());
  CHECK_FALSE(succeeds(left.netns.get(), "ip link show wg0"));
  CHECK(left.in([&] { return left.wireguard.remove("wg0"); }).has_value());
  CHECK(left.in([&] { return left.wireguard.read("wg0"); }).error().code == Code::kNotFound);
}

TEST_CASE_METHOD(Two, "what cannot be is refused with its cause", "[wireguard]") {
  const auto refused = [&](const std::string& name) {
    return left.in([&] { return left.wireguard.ensure(name); }).error();
  };
  CHECK(refused("a/b").code == Code::kInvalidArgument);
  output_in(left.netns.get(), "ip link add wg1 type bridge");
  CHECK(refused("wg1").message ==
        "start wireguard-go for wg1: there is a link of that name which is not wireguard-go's");
  left.make(at_left());
  const Status elsewhere = right.in([&] { return left.wireguard.ensure("wg0"); });
  REQUIRE_FALSE(elsewhere.has_value());
  CHECK(elsewhere.error().message.find("a wireguard-go of another network namespace") != std::string::npos);
  TunnelSpec twice = at_left();
  twice.peers.push_back(twice.peers.at(0));
  CHECK(left.in([&] { return apply(left.wireguard, "wg0", twice); }).error().code == Code::kInvalidArgument);
  TunnelSpec slow = at_left();
  slow.peers.at(0).keepalive = seconds(65536);
  CHECK(left.in([&] { return apply(left.wireguard, "wg0", slow); }).error().code == Code::kInvalidArgument);
}

}  // namespace
}  // namespace holdfast::wireguard
