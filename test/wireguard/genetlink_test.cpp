#include "common/wireguard/genetlink.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/wireguard.h>
#include <netlink/msg.h>

#include <cstring>
#include <string>
#include <vector>

#include "common/base/sha.h"
#include "test/catch.h"

namespace holdfast::wireguard {
namespace {

constexpr std::uint16_t kFamily = 0x1d;

Cidr cidr(const std::string& text) { return Cidr::parse(text).value(); }

KeyBytes filled(std::uint8_t value) {
  KeyBytes out{};
  out.fill(value);
  return out;
}

/// Key bytes as a message has them, in hexadecimal.
std::string key_hex(const std::string& byte) {
  std::string out;
  for (std::size_t n = 0; n < kKeyBytes; ++n) out += byte;
  return out;
}

/// What stands behind the netlink header, in hexadecimal.
std::string payload(const nl::MessagePtr& message) {
  REQUIRE(message != nullptr);
  const nlmsghdr* header = nlmsg_hdr(message.get());
  CHECK(header->nlmsg_type == kFamily);
  const void* data = nlmsg_data(header);
  return to_hex({static_cast<const char*>(data), static_cast<std::size_t>(nlmsg_datalen(header))});
}

/// A message of the kernel with this payload, as to_hex() writes it.
std::vector<char> message_of(const std::string& hex) {
  std::vector<char> out(NLMSG_HDRLEN + hex.size() / 2);
  for (std::size_t n = 0; n < hex.size() / 2; ++n) {
    out.at(NLMSG_HDRLEN + n) = static_cast<char>(std::stoi(hex.substr(2 * n, 2), nullptr, 16));
  }
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(out.size());
  header.nlmsg_type = kFamily;
  std::memcpy(out.data(), &header, sizeof header);
  return out;
}

Result<TunnelState> state_of(const std::vector<std::string>& payloads) {
  StateReader reader;
  for (const std::string& each : payloads) {
    const std::vector<char> message = message_of(each);
    const void* raw = message.data();
    reader.take(static_cast<const nlmsghdr*>(raw));
  }
  return std::move(reader).finish();
}

// Attributes are length, type, value, padded to four bytes; both numbers of this machine's order
// (little-endian). Type 0x80xx is a nest.
const std::string kName = "0800020077673000";  // WGDEVICE_A_IFNAME "wg0"

TEST_CASE("an interface's state is asked for by its name", "[wireguard]") {
  CHECK(payload(get_message(kFamily, "wg0")) == "00010000" + kName);
}

TEST_CASE("what an interface has itself goes in one message", "[wireguard]") {
  Change change;
  change.private_key = SecretKey(filled(0x11));
  change.listen_port = 51820;
  change.fwmark = 0x4d;
  const auto messages = set_messages(kFamily, "wg0", change);
  REQUIRE(messages.size() == 1);
  CHECK(payload(messages[0]) ==
        "01010000" + kName + "24000300" + key_hex("11") + "060006006cca0000" + "080007004d000000");
}

TEST_CASE("a peer's message says what changes of it", "[wireguard]") {
  PeerChange peer{.key = PublicKey(filled(0x22))};
  SECTION("that it goes") {
    peer.remove = true;
    const auto messages = set_messages(kFamily, "wg0", {{}, {}, {}, {peer}});
    REQUIRE(messages.size() == 1);
    CHECK(payload(messages[0]) ==
          "01010000" + kName + "34000880" + "30000080" + "24000100" + key_hex("22") + "0800030001000000");
  }
  SECTION("its preshared key, endpoint and keepalive") {
    peer.preshared = filled(0x33);
    peer.endpoint = Endpoint::parse("192.0.2.2:51821").value();
    peer.keepalive = std::chrono::seconds(25);
    const auto messages = set_messages(kFamily, "wg0", {{}, {}, {}, {peer}});
    REQUIRE(messages.size() == 1);
    CHECK(payload(messages[0]) == "01010000" + kName + "6c000880" + "68000080" + "24000100" + key_hex("22") +
                                      "24000200" + key_hex("33") + "14000400" +
                                      "0200ca6dc00002020000000000000000" + "0600050019000000");
  }
  SECTION("its addresses, in place of those it had, without host bits") {
    peer.allowed = {cidr("10.9.0.7/24"), cidr("fd44::/64")};
    const auto messages = set_messages(kFamily, "wg0", {{}, {}, {}, {peer}});
    REQUIRE(messages.size() == 1);
    CHECK(payload(messages[0]) == "01010000" + kName + "7c000880" + "78000080" + "24000100" + key_hex("22") +
                                      "0800030002000000" + "48000980" + "1c000080" + "0600010002000000" +
                                      "080002000a090000" + "0500030018000000" + "28000080" +
                                      "060001000a000000" + "14000200fd440000000000000000000000000000" +
                                      "0500030040000000");
  }
  SECTION("that none of its addresses stay") {
    peer.allowed.emplace();
    const auto messages = set_messages(kFamily, "wg0", {{}, {}, {}, {peer}});
    REQUIRE(messages.size() == 1);
    CHECK(payload(messages[0]) ==
          "01010000" + kName + "34000880" + "30000080" + "24000100" + key_hex("22") + "0800030002000000");
  }
}

TEST_CASE("only the first of a peer's messages takes its old addresses away", "[wireguard]") {
  PeerChange peer{.key = PublicKey(filled(0x22))};
  peer.allowed.emplace();
  for (int n = 0; n < 600; ++n) {
    peer.allowed->push_back(cidr("10." + std::to_string(n / 256) + "." + std::to_string(n % 256) + ".0/24"));
  }
  const auto messages = set_messages(kFamily, "wg0", {{}, {}, {}, {peer}});
  REQUIRE(messages.size() == 3);
  const std::string flag = "0800030002000000";
  const std::string before_flag = "00000000" + kName + "34000880" + "30000080" + "24000100" + key_hex("22");
  CHECK(payload(messages[0]).substr(before_flag.size(), flag.size()) == flag);
  CHECK(payload(messages[1]).substr(before_flag.size(), flag.size()) != flag);
  CHECK(payload(messages[2]).substr(before_flag.size(), flag.size()) != flag);
}

const std::string kKeyA = "24000100" + key_hex("aa");
const std::string kNet10 =
    "1c000080" + std::string("0600010002000000") + "080002000a000000" + "0500030008000000";

TEST_CASE("an interface's state is read", "[wireguard]") {
  const std::string peer = kKeyA + "24000200" + key_hex("00") + "0600050019000000" + "14000400" +
                           "0200ca6dc00002020000000000000000" + "14000600" + "00f1536500000000" +
                           "e803000000000000" + "0c000700" + "0100000000000000" + "0c000800" +
                           "0200000000000000" + "20000980" + kNet10;
  const std::string all = "00010000" + kName + "24000300" + key_hex("11") + "24000400" + key_hex("12") +
                          "060006006cca0000" + "080007004d000000" + "b8000880" + "b4000080" + peer;
  const auto state = state_of({all});
  REQUIRE(state.has_value());
  CHECK(state->private_key == SecretKey(filled(0x11)));
  CHECK(state->listen_port == 51820);
  CHECK(state->fwmark == 0x4d);
  REQUIRE(state->peers.size() == 1);
  const PeerState& one = state->peers[0];
  CHECK(one.peer.key == PublicKey(filled(0xaa)));
  CHECK_FALSE(one.peer.preshared.has_value());
  CHECK(one.peer.endpoint->to_string() == "192.0.2.2:51821");
  CHECK(one.peer.keepalive == std::chrono::seconds(25));
  CHECK(one.peer.allowed == std::vector{cidr("10.0.0.0/8")});
  CHECK(one.last_handshake == std::chrono::system_clock::time_point(std::chrono::seconds(0x6553f100) +
                                                                    std::chrono::microseconds(1)));
  CHECK(one.received_bytes == 1);
  CHECK(one.sent_bytes == 2);
}

TEST_CASE("a peer goes on in the next message", "[wireguard]") {
  const std::string part = "00010000" + kName + "4c000880" + "48000080" + kKeyA + "20000980" + kNet10;
  const auto state = state_of({part, part});
  REQUIRE(state.has_value());
  REQUIRE(state->peers.size() == 1);
  CHECK(state->peers[0].peer.allowed.size() == 2);
}

TEST_CASE("an answer that cannot be read is an error, not half a state", "[wireguard]") {
  struct Case {
    const char* name;
    std::string payload;
    const char* error;
  };
  const std::string list = "00010000" + kName;
  const Case cases[] = {
      {"a peer without its key", list + "0c000880" + "08000080" + "0600050019000000",
       "the kernel's answer has a peer without its public key that cannot be read"},
      {"a prefix longer than the address",
       list + "4c000880" + "48000080" + kKeyA + "20000980" + "1c000080" + "0600010002000000" +
           "080002000a000000" + "0500030021000000",
       "the kernel's answer has an allowed address that cannot be read"},
      {"an address of five bytes",
       list + "50000880" + "4c000080" + kKeyA + "24000980" + "20000080" + "0600010002000000" +
           "090002000a000000ff000000" + "0500030008000000",
       "the kernel's answer has an allowed address that cannot be read"},
  };
  for (const Case& each : cases) {
    DYNAMIC_SECTION(each.name) {
      const auto state = state_of({each.payload});
      REQUIRE_FALSE(state.has_value());
      CHECK(state.error().code == Code::kDataLoss);
      CHECK(state.error().message == each.error);
    }
  }
}

}  // namespace
}  // namespace holdfast::wireguard
