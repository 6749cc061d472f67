#include "common/wireguard/uapi.h"

#include <cerrno>
#include <string>

#include "test/catch.h"

namespace holdfast::wireguard {
namespace {

using std::chrono::seconds;

const std::string kZeros(64, '0');
const std::string kOne = "01" + std::string(62, '0');
const std::string kTwo = "02" + std::string(62, 'a');

KeyBytes one() {
  KeyBytes out{};
  out[0] = 1;
  return out;
}

TEST_CASE("a state is read, peer by peer", "[wireguard]") {
  const auto state = parse_state(
      "private_key=" + kOne + "\nlisten_port=51820\nfwmark=7\npublic_key=" + kOne +
      "\npreshared_key=" + kTwo +
      "\nprotocol_version=1\nendpoint=[2001:db8::1]:500\nlast_handshake_time_sec=1700000000\n"
      "last_handshake_time_nsec=5\ntx_bytes=18446744073709551615\nrx_bytes=12\n"
      "persistent_keepalive_interval=25\nallowed_ip=10.0.0.0/8\nallowed_ip=fd00::/16\npublic_key=" +
      kTwo + "\npreshared_key=" + kZeros +
      "\nlast_handshake_time_sec=0\nlast_handshake_time_nsec=0\nerrno=0\n\n");
  REQUIRE(state.has_value());
  CHECK(state->private_key == SecretKey(one()));
  CHECK(state->listen_port == 51820);
  CHECK(state->fwmark == 7);
  REQUIRE(state->peers.size() == 2);
  const PeerState& first = state->peers[0];
  CHECK(first.peer.key == PublicKey(one()));
  CHECK(first.peer.preshared.has_value());
  CHECK(first.peer.endpoint->to_string() == "[2001:db8::1]:500");
  CHECK(first.last_handshake ==
        std::chrono::system_clock::time_point(seconds(1700000000) + std::chrono::nanoseconds(5)));
  CHECK(first.sent_bytes == 18446744073709551615U);
  CHECK(first.received_bytes == 12);
  CHECK(first.peer.keepalive == seconds(25));
  CHECK(first.peer.allowed.size() == 2);
  CHECK_FALSE(state->peers[1].peer.preshared.has_value());
  CHECK_FALSE(state->peers[1].last_handshake.has_value());
  CHECK_FALSE(parse_state("errno=0\n\n").value().private_key.has_value());
}

TEST_CASE("an answer that cannot be read is refused by its key, not by its value", "[wireguard]") {
  struct Case {
    std::string before;
    std::string key;
    std::string value;
  };
  const std::string peer = "public_key=" + kOne + "\n";
  const Case cases[] = {
      {"", "private_key", kOne + "0"},
      {"", "private_key", "secretsecret"},
      {"", "private_key", std::string(64, 'g')},
      {"", "listen_port", "65536"},
      {"", "listen_port", ""},
      {"", "fwmark", "-1"},
      {"", "public_key", "1"},
      {peer, "preshared_key", "xyz"},
      {peer, "endpoint", "host:1"},
      {peer, "allowed_ip", "10.0.0.0/33"},
      {peer, "rx_bytes", "18446744073709551616"},
      {peer, "persistent_keepalive_interval", "70000"},
      {peer, "last_handshake_time_sec", "-1"},
      {"", "errno", "x"},
  };
  for (const Case& c : cases) {
    const auto state = parse_state(c.before + c.key + "=" + c.value + "\nerrno=0\n\n");
    REQUIRE_FALSE(state.has_value());
    CHECK(state.error().code == Code::kInvalidArgument);
    CHECK(state.error().message == "WireGuard answers with a line '" + c.key + "=' that cannot be read");
  }
  CHECK(parse_state("no equals sign\nerrno=0\n\n").error().code == Code::kInvalidArgument);
  CHECK(parse_state("").error().code == Code::kDataLoss);
  CHECK(parse_state("listen_port=1\n").error().code == Code::kDataLoss);
  CHECK(parse_state("listen_port=1\nerrno=0").error().code == Code::kDataLoss);
}

TEST_CASE("an errno is told, whatever its sign", "[wireguard]") {
  CHECK(parse_done("errno=0\n\n").has_value());
  CHECK(parse_done("errno=-98\n\n").error().sys_errno == EADDRINUSE);
  CHECK(parse_done("errno=22\n\n").error().sys_errno == EINVAL);
  CHECK(parse_done("errno=-2147483648\n\n").error().code == Code::kInvalidArgument);
}

TEST_CASE("a change is written in the order that WireGuard asks for", "[wireguard]") {
  Change change;
  change.private_key = SecretKey(one());
  change.listen_port = 51820;
  change.fwmark = 0;
  PeerChange gone;
  gone.key = PublicKey(one());
  gone.remove = true;
  PeerChange fresh;
  fresh.key = PublicKey(one());
  fresh.preshared = KeyBytes{};
  fresh.endpoint = Endpoint::parse("[2001:db8::1]:500").value();
  fresh.keepalive = seconds(25);
  fresh.allowed = {Cidr::parse("10.1.2.3/8").value(), Cidr::parse("::/0").value()};
  change.peers = {gone, fresh};
  CHECK(set_request(change) == "set=1\nprivate_key=" + kOne + "\nlisten_port=51820\nfwmark=0\npublic_key=" +
                                   kOne + "\nremove=true\npublic_key=" + kOne + "\npreshared_key=" + kZeros +
                                   "\nendpoint=[2001:db8::1]:500\npersistent_keepalive_interval=25\n"
                                   "replace_allowed_ips=true\nallowed_ip=10.0.0.0/8\nallowed_ip=::/0\n\n");
  CHECK(set_request({}) == "set=1\n\n");
}

}  // namespace
}  // namespace holdfast::wireguard
