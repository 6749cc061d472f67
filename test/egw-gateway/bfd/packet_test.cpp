#include "egw-gateway/bfd/packet.h"

#include <functional>
#include <string>
#include <vector>

#include "test/catch.h"

namespace holdfast::bfd {
namespace {

using std::chrono::microseconds;
using Bytes = std::vector<std::uint8_t>;

/// State Up, poll, multiplier 3, discriminators 0x01020304 and 0x05060708, 100 ms, 200 ms, no echo.
const Bytes kUp = {0x20, 0xe0, 3, 24, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0x86, 0xa0, 0, 3, 0x0d, 0x40, 0, 0, 0, 0};

Bytes changed(std::size_t at, std::uint8_t value) {
  Bytes out = kUp;
  out.at(at) = value;
  return out;
}

TEST_CASE("a packet is read field by field", "[bfd]") {
  const auto packet = parse_packet(kUp);
  REQUIRE(packet.has_value());
  CHECK(packet->state == State::kUp);
  CHECK(packet->diagnostic == Diagnostic::kNone);
  CHECK(packet->poll);
  CHECK_FALSE(packet->final);
  CHECK_FALSE(packet->control_plane_independent);
  CHECK_FALSE(packet->authenticated);
  CHECK_FALSE(packet->demand);
  CHECK(packet->detect_multiplier == 3);
  CHECK(packet->my_discriminator == 0x01020304);
  CHECK(packet->your_discriminator == 0x05060708);
  CHECK(packet->desired_min_tx == microseconds(100'000));
  CHECK(packet->required_min_rx == microseconds(200'000));
  CHECK(packet->required_min_echo_rx == microseconds(0));
}

TEST_CASE("every flag and number is written where it is read", "[bfd]") {
  const std::vector<std::function<void(Packet&)>> changes = {
      [](Packet&) {},
      [](Packet& p) { p.state = State::kAdminDown; },
      [](Packet& p) { p.state = State::kInit; },
      [](Packet& p) { p.diagnostic = Diagnostic::kReverseConcatenatedPathDown; },
      [](Packet& p) { p.diagnostic = static_cast<Diagnostic>(31); },
      [](Packet& p) { p.poll = true; },
      [](Packet& p) { p.final = true; },
      [](Packet& p) { p.control_plane_independent = true; },
      [](Packet& p) { p.demand = true; },
      [](Packet& p) { p.detect_multiplier = 255; },
      [](Packet& p) { p.my_discriminator = 0xffffffff; },
      [](Packet& p) { p.your_discriminator = 0x80000001; },
      [](Packet& p) { p.desired_min_tx = kLongestInterval; },
      [](Packet& p) { p.required_min_rx = microseconds(0); },
      [](Packet& p) { p.required_min_echo_rx = microseconds(50'000); },
  };
  for (const auto& change : changes) {
    Packet packet{.my_discriminator = 7, .required_min_rx = microseconds(1)};
    packet.your_discriminator = 9;
    change(packet);
    const WirePacket wire = encode(packet);
    CHECK(wire.size == kPacketBytes);
    const auto back = parse_packet(wire.view());
    REQUIRE(back.has_value());
    CHECK(*back == packet);
  }
}

TEST_CASE("an interval that has no place on the wire becomes the nearest that has", "[bfd]") {
  Packet packet{.my_discriminator = 7};
  packet.desired_min_tx = microseconds(-1);
  packet.required_min_rx = kLongestInterval + microseconds(1);
  const auto back = parse_packet(encode(packet).view());
  REQUIRE(back.has_value());
  CHECK(back->desired_min_tx == microseconds(0));
  CHECK(back->required_min_rx == kLongestInterval);
}

TEST_CASE("a packet that breaks a rule of RFC 5880 section 6.8.6 is refused, and it is told why", "[bfd]") {
  struct Case {
    const char* name;
    Bytes bytes;
    Refusal refusal;
  };
  Bytes no_your_up = kUp;
  Bytes no_your_init = changed(1, 0x80);
  for (std::size_t at = 8; at < 12; ++at) no_your_up[at] = no_your_init[at] = 0;
  Bytes no_my = kUp;
  for (std::size_t at = 4; at < 8; ++at) no_my[at] = 0;
  const Case cases[] = {
      {"nothing", {}, Refusal::kSize},
      {"a byte less than the mandatory section", Bytes(kUp.begin(), kUp.end() - 1), Refusal::kSize},
      {"version 0", changed(0, 0x00), Refusal::kVersion},
      {"version 2", changed(0, 0x40), Refusal::kVersion},
      {"version 7", changed(0, 0xe0), Refusal::kVersion},
      {"Length 0", changed(3, 0), Refusal::kLength},
      {"Length 23", changed(3, 23), Refusal::kLength},
      {"Length beyond the payload", changed(3, 25), Refusal::kSize},
      {"Length 255", changed(3, 255), Refusal::kSize},
      {"authenticated, Length 24", changed(1, 0xe4), Refusal::kLength},
      {"Detect Mult 0", changed(2, 0), Refusal::kDetectMultiplier},
      {"multipoint", changed(1, 0xe1), Refusal::kMultipoint},
      {"My Discriminator 0", no_my, Refusal::kMyDiscriminator},
      {"Your Discriminator 0 in state Up", no_your_up, Refusal::kYourDiscriminator},
      {"Your Discriminator 0 in state Init", no_your_init, Refusal::kYourDiscriminator},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto packet = parse_packet(c.bytes);
      REQUIRE_FALSE(packet.has_value());
      CHECK(packet.error() == c.refusal);
    }
  }
  Bytes with_authentication = changed(1, 0xe4);
  with_authentication[3] = 25;
  with_authentication.push_back(5);
  CHECK(parse_packet(with_authentication).error() == Refusal::kLength);
  with_authentication[3] = 26;
  CHECK(parse_packet(with_authentication).error() == Refusal::kSize);
  with_authentication.push_back(2);
  CHECK(parse_packet(with_authentication).has_value());
}

TEST_CASE("Your Discriminator may be absent while the peer does not know it", "[bfd]") {
  for (const std::uint8_t state : {std::uint8_t{0x00}, std::uint8_t{0x40}}) {
    Bytes bytes = changed(1, state);
    for (std::size_t at = 8; at < 12; ++at) bytes[at] = 0;
    CHECK(parse_packet(bytes).has_value());
  }
}

TEST_CASE("what stands behind Length is not looked at", "[bfd]") {
  Bytes bytes = kUp;
  bytes.resize(1400, 0xff);
  REQUIRE(parse_packet(bytes).has_value());
  CHECK(parse_packet(bytes) == parse_packet(kUp));
}

TEST_CASE("states, diagnostics and refusals have names", "[bfd]") {
  CHECK(to_string(State::kAdminDown) == "AdminDown");
  CHECK(to_string(State::kUp) == "Up");
  CHECK(to_string(Diagnostic::kNeighborSignaledDown) == "neighbour signalled down");
  CHECK(to_string(static_cast<Diagnostic>(9)) == "unknown");
  CHECK(to_string(static_cast<Diagnostic>(31)) == "unknown");
  CHECK(to_string(Refusal::kHopLimit) == "hop_limit");
  CHECK(to_string(Refusal::kDigest) == "digest");
}

}  // namespace
}  // namespace holdfast::bfd
