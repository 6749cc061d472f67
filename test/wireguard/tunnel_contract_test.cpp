#include <chrono>
#include <string>

#include "test/wireguard/handshake.h"
#include "test/wireguard/machine.h"

// What every engine must do: run with wireguard-go, and with the kernel's where a kernel has it.
namespace holdfast::wireguard::test {
namespace {

using holdfast::test::output_in;
using std::chrono::seconds;

/// Of the peer with this key; fails the case when there is none.
PeerState peer_of(const TunnelState& state, const PublicKey& key) {
  for (const PeerState& each : state.peers) {
    if (each.peer.key == key) return each;
  }
  FAIL("no peer " << key.to_string());
  return {};
}

PeerSpec stranger(const std::string& allowed) {
  return {public_key_of(SecretKey::generate().value()).value(), {}, {}, {cidr(allowed)}, {}};
}

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

TEST_CASE_METHOD(Two, "peers come and go without another one's session noticing", "[wireguard]") {
  connect();
  const PublicKey key = public_key_of(right.key).value();
  const PeerState before = peer_of(left.state(), key);
  TunnelSpec more = at_left();
  more.peers.insert(more.peers.begin(), stranger("10.50.0.0/16"));
  more.peers.push_back(stranger("fd50::/64"));
  left.make(more);
  CHECK(left.state().peers.size() == 3);
  left.make(at_left());
  CHECK(left.state().peers.size() == 1);
  const PeerState after = peer_of(left.state(), key);
  CHECK(after.last_handshake == before.last_handshake);
  CHECK(after.sent_bytes >= before.sent_bytes);
  CHECK(after.received_bytes >= before.received_bytes);
  CHECK(pings());
}

TEST_CASE_METHOD(Two, "a peer that is removed and put again at once is heard with an earlier clock too",
                 "[wireguard]") {
  left.make(at_left());
  const PublicKey key = public_key_of(right.key).value();
  const auto is_answered = [&](std::chrono::system_clock::time_point when) {
    const auto answered = right.in([&]() -> Result<bool> {
      return holdfast::test::begins_handshake(right.key, public_key_of(left.key).value(),
                                              Endpoint::parse("192.0.2.1:51820").value(), when);
    });
    return answered.value();
  };
  const auto clock = std::chrono::system_clock::now();
  REQUIRE(is_answered(clock));
  REQUIRE_FALSE(is_answered(clock - std::chrono::hours(1)));
  Change change;
  PeerChange removal{.key = key};
  removal.remove = true;
  change.peers.push_back(removal);
  PeerChange again{.key = key};
  again.endpoint = Endpoint::parse("192.0.2.2:51821").value();
  change.peers.push_back(again);
  REQUIRE(left.in([&] { return left.wireguard->change("wg0", change); }).has_value());
  const PeerState after = peer_of(left.state(), key);
  CHECK(left.state().peers.size() == 1);
  CHECK_FALSE(after.last_handshake.has_value());
  CHECK(after.received_bytes == 0);
  CHECK(after.peer.endpoint == again.endpoint);
  CHECK(is_answered(clock - std::chrono::hours(1)));
  // and all else is put again as after a start
  left.make(at_left());
  right.make(right.facing(left, 51821));
  CHECK(pings());
}

TEST_CASE_METHOD(Two, "addresses move from one peer to another", "[wireguard]") {
  connect();
  TunnelSpec moved = at_left();
  moved.peers.push_back(stranger("10.9.0.0/24"));
  moved.peers.at(0).allowed = {cidr("10.8.0.0/24")};
  left.make(moved);
  CHECK(plan(moved, left.state()).empty());
  CHECK_FALSE(succeeds(left.netns.get(), "ping -c 1 -w 1 10.9.0.2"));
  left.make(at_left());
  CHECK(pings());
}

TEST_CASE_METHOD(Two, "a peer may have many addresses, and there may be many peers", "[wireguard]") {
  TunnelSpec large = at_left();
  for (int n = 0; n < 1200; ++n) {
    large.peers.at(0).allowed.push_back(
        cidr("10." + std::to_string(100 + n / 256) + "." + std::to_string(n % 256) + ".0/24"));
  }
  for (int n = 0; n < 300; ++n) large.peers.push_back(stranger("fd00:" + std::to_string(n) + "::/64"));
  left.make(large);
  CHECK(left.state().peers.size() == 301);
  CHECK(plan(large, left.state()).empty());
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

TEST_CASE_METHOD(Two, "what is removed is gone, and may be removed again", "[wireguard]") {
  connect();
  REQUIRE(left.in([&] { return left.wireguard->remove("wg0"); }).has_value());
  CHECK_FALSE(succeeds(left.netns.get(), "ip link show wg0"));
  CHECK(left.in([&] { return left.wireguard->remove("wg0"); }).has_value());
  CHECK(left.in([&] { return left.wireguard->read("wg0"); }).error().code == Code::kNotFound);
  CHECK(left.in([&] {
              Change mark;
              mark.fwmark = 1;
              return left.wireguard->change("wg0", mark);
            })
            .error()
            .code == Code::kNotFound);
}

TEST_CASE_METHOD(Two, "what cannot be is refused with its cause", "[wireguard]") {
  const auto refused = [&](const std::string& name) {
    return left.in([&] { return left.wireguard->ensure(name); }).error();
  };
  CHECK(refused("a/b").code == Code::kInvalidArgument);
  CHECK(refused("a-name-of-16-byte").code == Code::kInvalidArgument);
  output_in(left.netns.get(), "ip link add wg1 type bridge");
  CHECK(refused("wg1").code == Code::kFailedPrecondition);
  CHECK(refused("wg1").message.find("there is a link of that name which is n") != std::string::npos);
  TunnelSpec twice = at_left();
  twice.peers.push_back(twice.peers.at(0));
  CHECK(left.in([&] { return apply(*left.wireguard, "wg0", twice); }).error().code == Code::kInvalidArgument);
  TunnelSpec slow = at_left();
  slow.peers.at(0).keepalive = seconds(65536);
  CHECK(left.in([&] { return apply(*left.wireguard, "wg0", slow); }).error().code == Code::kInvalidArgument);
}

}  // namespace
}  // namespace holdfast::wireguard::test
