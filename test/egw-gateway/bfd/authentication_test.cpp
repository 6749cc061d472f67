#include "egw-gateway/bfd/authentication.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <nettle/sha1.h>
#include <string>
#include <vector>

#include "test/catch.h"

namespace holdfast::bfd {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kForgets{600};
const Keys kKeys{{7, "a secret"}, {}};

/// `your_discriminator` 0: it answers nobody.
WirePacket signed_packet(Authenticator& by, std::uint32_t your_discriminator = 2) {
  Packet packet;
  packet.state = your_discriminator == 0 ? State::kDown : State::kUp;
  packet.my_discriminator = 1;
  packet.your_discriminator = your_discriminator;
  WirePacket out = encode(packet);
  by.sign(out);
  return out;
}

std::optional<Refusal> verified(Authenticator& by, const WirePacket& wire, milliseconds now = {}) {
  const auto packet = parse_packet(wire.view());
  REQUIRE(packet.has_value());
  return by.verify(wire.view(), *packet, now, kForgets);
}

TEST_CASE("a signed packet has the shape of RFC 5880 section 4.4", "[bfd]") {
  Authenticator sender(kKeys, 0x01020304);
  const WirePacket wire = signed_packet(sender);
  REQUIRE(wire.size == 52);
  CHECK((wire.bytes[1] & 0x04) != 0);
  CHECK(wire.bytes[3] == 52);
  CHECK(std::vector<int>(wire.bytes.begin() + 24, wire.bytes.begin() + 32) ==
        std::vector<int>{5, 28, 7, 0, 1, 2, 3, 4});
  // the digest, reckoned by hand: over the packet with the padded secret in its place
  std::array<std::uint8_t, 52> plain = wire.bytes;
  std::fill(plain.begin() + 32, plain.end(), std::uint8_t{0});
  std::copy_n("a secret", 8, plain.begin() + 32);
  sha1_ctx context;
  ::sha1_init(&context);
  ::sha1_update(&context, plain.size(), plain.data());
  std::array<std::uint8_t, 20> digest{};
  ::sha1_digest(&context, digest.size(), digest.data());
  CHECK(std::equal(digest.begin(), digest.end(), wire.bytes.begin() + 32));
}

TEST_CASE("what a sender signs its receiver accepts, once", "[bfd]") {
  Authenticator sender(kKeys, 100);
  Authenticator receiver(kKeys, 1);
  const WirePacket first = signed_packet(sender);
  const WirePacket second = signed_packet(sender);
  CHECK(verified(receiver, first) == std::nullopt);
  CHECK(verified(receiver, first) == Refusal::kSequence);
  CHECK(verified(receiver, second) == std::nullopt);
  CHECK(verified(receiver, first) == Refusal::kSequence);
}

TEST_CASE("sequence numbers wrap around, and may leave out as many as three detection times have", "[bfd]") {
  Authenticator sender(kKeys, std::numeric_limits<std::uint32_t>::max());
  Authenticator receiver(kKeys, 1);
  CHECK(verified(receiver, signed_packet(sender)) == std::nullopt);
  CHECK(verified(receiver, signed_packet(sender)) == std::nullopt);
  for (int lost = 0; lost < 8; ++lost) signed_packet(sender);
  CHECK(verified(receiver, signed_packet(sender)) == std::nullopt);  // the ninth
  for (int lost = 0; lost < 9; ++lost) signed_packet(sender);
  CHECK(verified(receiver, signed_packet(sender)) == Refusal::kSequence);
}

TEST_CASE("a peer that began anew is heard when its old number is forgotten", "[bfd]") {
  Authenticator receiver(kKeys, 1);
  Authenticator before(kKeys, 5000);
  CHECK(verified(receiver, signed_packet(before), milliseconds(0)) == std::nullopt);
  Authenticator after(kKeys, 10);
  CHECK(verified(receiver, signed_packet(after), kForgets) == Refusal::kSequence);
  CHECK(verified(receiver, signed_packet(after), kForgets + milliseconds(1)) == std::nullopt);
}

TEST_CASE("a forged packet does not set the sequence number", "[bfd]") {
  Authenticator receiver(kKeys, 1);
  Authenticator forger({{7, "another secret"}, {}}, 4'000'000'000);
  CHECK(verified(receiver, signed_packet(forger)) == Refusal::kDigest);
  Authenticator sender(kKeys, 10);
  CHECK(verified(receiver, signed_packet(sender)) == std::nullopt);
}

TEST_CASE("a recorded packet that answers nobody does not keep out the peer that answers us", "[bfd]") {
  Authenticator receiver(kKeys, 1);
  Authenticator long_ago(kKeys, 4'000'000'000);
  Authenticator peer(kKeys, 10);
  const WirePacket recorded = signed_packet(long_ago, 0);
  CHECK(verified(receiver, recorded) == std::nullopt);
  CHECK(verified(receiver, signed_packet(peer, 0)) == Refusal::kSequence);  // nothing tells which one is true
  CHECK(verified(receiver, signed_packet(peer)) == std::nullopt);
  CHECK(verified(receiver, recorded) == Refusal::kSequence);
  CHECK(verified(receiver, signed_packet(peer, 0)) == std::nullopt);  // of the same numbering
  CHECK(verified(receiver, recorded) == Refusal::kSequence);
  CHECK(verified(receiver, signed_packet(peer)) == std::nullopt);
}

TEST_CASE("whatever is changed of a signed packet, it is refused", "[bfd]") {
  for (std::size_t at = 0; at < 52; ++at) {
    Authenticator sender(kKeys, 10);
    Authenticator receiver(kKeys, 1);
    WirePacket wire = signed_packet(sender);
    wire.bytes.at(at) ^= 1U;
    const auto packet = parse_packet(wire.view());
    CHECK((!packet || receiver.verify(wire.view(), *packet, {}, kForgets).has_value()));
  }
}

TEST_CASE("an authentication that is not the session's is refused, and it is told why", "[bfd]") {
  struct Case {
    const char* name;
    std::function<void(WirePacket&)> change;
    Refusal refusal;
  };
  const Case cases[] = {
      {"none",
       [](WirePacket& wire) {
         wire.bytes[1] &= 0xfbU;
         wire.bytes[3] = 24;
       },
       Refusal::kNotAuthenticated},
      {"keyed SHA1, which is not meticulous", [](WirePacket& wire) { wire.bytes[24] = 4; },
       Refusal::kAuthenticationType},
      {"a password", [](WirePacket& wire) { wire.bytes[24] = 1; }, Refusal::kAuthenticationType},
      {"a section that is too short", [](WirePacket& wire) { wire.bytes[25] = 24; },
       Refusal::kAuthenticationLength},
      {"a Length that leaves some of it out", [](WirePacket& wire) { wire.bytes[3] = 48; },
       Refusal::kAuthenticationLength},
      {"another key's id", [](WirePacket& wire) { wire.bytes[26] = 8; }, Refusal::kKey},
      {"another digest", [](WirePacket& wire) { wire.bytes[51] ^= 0x80U; }, Refusal::kDigest},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Authenticator sender(kKeys, 10);
      Authenticator receiver(kKeys, 1);
      WirePacket wire = signed_packet(sender);
      c.change(wire);
      CHECK(verified(receiver, wire) == c.refusal);
    }
  }
}

TEST_CASE("while keys are exchanged for others no packet is refused", "[bfd]") {
  const Key old_key{1, "old"};
  const Key new_key{2, "new"};
  Authenticator sender({old_key, {}}, 10);
  Authenticator receiver({old_key, {}}, 1);
  CHECK(verified(receiver, signed_packet(sender)) == std::nullopt);
  receiver.set_keys({old_key, {new_key}});
  CHECK(verified(receiver, signed_packet(sender)) == std::nullopt);
  sender.set_keys({new_key, {old_key}});
  CHECK(verified(receiver, signed_packet(sender)) == std::nullopt);
  receiver.set_keys({new_key, {}});
  CHECK(verified(receiver, signed_packet(sender)) == std::nullopt);
  sender.set_keys({old_key, {}});
  CHECK(verified(receiver, signed_packet(sender)) == Refusal::kKey);
}

TEST_CASE("keys that cannot be used are refused by their ids", "[bfd]") {
  CHECK(check(Keys{{1, std::string(20, 'x')}, {{2, "y"}}}).has_value());
  CHECK(check(Keys{{3, ""}, {}}).error().message == "BFD key 3 must have 1..20 bytes, has 0");
  CHECK(check(Keys{{3, "x"}, {{4, std::string(21, 'q')}}}).error().message ==
        "BFD key 4 must have 1..20 bytes, has 21");
  CHECK(check(Keys{{3, "x"}, {{3, "y"}}}).error().message == "BFD key 3 is given twice");
}

}  // namespace
}  // namespace holdfast::bfd
