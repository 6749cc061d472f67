#include "common/wireguard/tunnel.h"

#include <string>

#include "test/catch.h"

namespace holdfast::wireguard {
namespace {

using std::chrono::seconds;

KeyBytes bytes(std::uint8_t value) {
  KeyBytes out{};
  out.fill(value);
  return out;
}
Cidr cidr(const std::string& text) { return Cidr::parse(text).value(); }
Endpoint endpoint(const std::string& text) { return Endpoint::parse(text).value(); }

PeerSpec peer(std::uint8_t key) {
  return {PublicKey(bytes(key)),
          SecretKey(bytes(99)),
          endpoint("192.0.2.1:51820"),
          {cidr("10.1.0.0/16")},
          seconds(25)};
}
TunnelSpec spec() { return {SecretKey(bytes(1)), 51820, 7, {peer(2), peer(3)}}; }
TunnelState state_of(const TunnelSpec& made) {
  TunnelState out{made.private_key, made.listen_port, made.fwmark, {}};
  for (const PeerSpec& each : made.peers) {
    PeerState state;
    state.peer = each;
    out.peers.push_back(state);
  }
  return out;
}

TEST_CASE("what is right is not touched", "[wireguard]") {
  CHECK(plan(spec(), state_of(spec())).empty());
  TunnelSpec other_order = spec();
  other_order.peers.at(0).allowed = {cidr("10.2.0.0/16"), cidr("10.1.0.0/16"), cidr("10.2.3.4/16")};
  TunnelState there = state_of(other_order);
  there.peers.at(0).peer.allowed = {cidr("10.1.0.0/16"), cidr("10.2.0.0/16")};
  CHECK(plan(other_order, there).empty());
}

TEST_CASE("a fresh interface is given all", "[wireguard]") {
  const Change change = plan(spec(), {});
  CHECK(change.private_key == spec().private_key);
  CHECK(change.listen_port == 51820);
  CHECK(change.fwmark == 7U);
  REQUIRE(change.peers.size() == 2);
  CHECK(change.peers[0].key == peer(2).key);
  CHECK_FALSE(change.peers[0].remove);
  CHECK(change.peers[0].preshared == bytes(99));
  CHECK(change.peers[0].endpoint == endpoint("192.0.2.1:51820"));
  CHECK(change.peers[0].keepalive == seconds(25));
  CHECK(change.peers[0].allowed == peer(2).allowed);
}

TEST_CASE("a peer of which nothing but its key is wanted is made all the same", "[wireguard]") {
  TunnelSpec wanted = spec();
  wanted.peers = {{PublicKey(bytes(5)), {}, {}, {}, {}}};
  const Change change = plan(wanted, state_of({spec().private_key, 51820, 7, {}}));
  REQUIRE(change.peers.size() == 1);
  CHECK_FALSE(change.peers[0].allowed.has_value());
}

TEST_CASE("only what differs is changed, and peers that go come first", "[wireguard]") {
  TunnelSpec wanted = spec();
  wanted.private_key = SecretKey(bytes(11));
  wanted.listen_port = 0;
  wanted.peers.at(0).preshared.reset();
  wanted.peers.at(1) = peer(4);
  const Change change = plan(wanted, state_of(spec()));
  CHECK(change.private_key == wanted.private_key);
  CHECK_FALSE(change.listen_port.has_value());
  CHECK_FALSE(change.fwmark.has_value());
  REQUIRE(change.peers.size() == 3);
  CHECK(change.peers[0].key == peer(3).key);
  CHECK(change.peers[0].remove);
  CHECK(change.peers[1].key == peer(2).key);
  CHECK(change.peers[1].preshared == KeyBytes{});
  CHECK_FALSE(change.peers[1].endpoint.has_value());
  CHECK_FALSE(change.peers[1].keepalive.has_value());
  CHECK_FALSE(change.peers[1].allowed.has_value());
  CHECK(change.peers[2].key == peer(4).key);
}

TEST_CASE("a peer without endpoint of ours keeps that from which it came", "[wireguard]") {
  TunnelSpec wanted = spec();
  wanted.peers.at(0).endpoint.reset();
  CHECK(plan(wanted, state_of(spec())).empty());
}

TEST_CASE("endpoints are read as they are written, and nothing else", "[wireguard]") {
  for (const char* text : {"192.0.2.1:51820", "[2001:db8::1]:1", "0.0.0.0:65535"}) {
    CHECK(endpoint(text).to_string() == text);
  }
  for (const char* text :
       {"", ":", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1", "192.0.2.1:1x",
        "2001:db8::1:1", "[192.0.2.1]:1", "[2001:db8::1]", "[fe80::1%eth0]:1", "host:1"}) {
    CHECK(Endpoint::parse(text).error().code == Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace holdfast::wireguard
