#include "egw-gateway/bfd/packet.h"

#include <algorithm>

#include "egw-gateway/bfd/wire.h"

namespace holdfast::bfd {
namespace {

using std::chrono::microseconds;

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kLeastAuthentication = 2;  // its type and its length

constexpr std::uint8_t kPoll = 0x20;
constexpr std::uint8_t kFinal = 0x10;
constexpr std::uint8_t kControlPlaneIndependent = 0x08;
constexpr std::uint8_t kDemand = 0x02;
constexpr std::uint8_t kMultipoint = 0x01;

bool has(std::uint8_t flags, std::uint8_t flag) { return (flags & flag) != 0; }
std::uint8_t flag_if(bool set, std::uint8_t flag) { return set ? flag : std::uint8_t{0}; }

bool may_lack_your_discriminator(State state) { return state == State::kDown || state == State::kAdminDown; }

std::uint32_t on_wire(microseconds interval) {
  return static_cast<std::uint32_t>(std::clamp(interval, microseconds{0}, kLongestInterval).count());
}

}  // namespace

std::string_view to_string(State state) {
  switch (state) {
    case State::kAdminDown:
      return "AdminDown";
    case State::kDown:
      return "Down";
    case State::kInit:
      return "Init";
    case State::kUp:
      return "Up";
  }
  return "unknown";
}

std::string_view to_string(Diagnostic diagnostic) {
  constexpr std::array<std::string_view, 9> kWords = {
      "none",
      "detection time expired",
      "echo failed",
      "neighbour signalled down",
      "forwarding plane reset",
      "path down",
      "concatenated path down",
      "administratively down",
      "reverse concatenated path down",
  };
  const auto number = static_cast<std::size_t>(diagnostic);
  return number < kWords.size() ? kWords.at(number) : "unknown";
}

tl::expected<Packet, Refusal> parse_packet(std::span<const std::uint8_t> payload) {
  if (payload.size() < kPacketBytes) return tl::unexpected(Refusal::kSize);
  const std::uint8_t flags = payload[kFlagsAt];
  if (payload[kVersionAt] >> kVersionShift != kVersion) return tl::unexpected(Refusal::kVersion);
  const std::size_t length = payload[kLengthAt];
  const bool authenticated = has(flags, kAuthenticationFlag);
  if (length < kPacketBytes + (authenticated ? kLeastAuthentication : 0)) {
    return tl::unexpected(Refusal::kLength);
  }
  if (length > payload.size()) return tl::unexpected(Refusal::kSize);
  Packet out;
  out.diagnostic = static_cast<Diagnostic>(payload[kVersionAt] & kDiagnosticBits);
  out.state = static_cast<State>(flags >> kStateShift);
  out.poll = has(flags, kPoll);
  out.final = has(flags, kFinal);
  out.control_plane_independent = has(flags, kControlPlaneIndependent);
  out.authenticated = authenticated;
  out.demand = has(flags, kDemand);
  out.detect_multiplier = payload[kDetectMultiplierAt];
  out.my_discriminator = get32(payload, kMyDiscriminatorAt);
  out.your_discriminator = get32(payload, kYourDiscriminatorAt);
  out.desired_min_tx = microseconds{get32(payload, kDesiredMinTxAt)};
  out.required_min_rx = microseconds{get32(payload, kRequiredMinRxAt)};
  out.required_min_echo_rx = microseconds{get32(payload, kRequiredMinEchoRxAt)};
  if (out.detect_multiplier == 0) return tl::unexpected(Refusal::kDetectMultiplier);
  if (has(flags, kMultipoint)) return tl::unexpected(Refusal::kMultipoint);
  if (out.my_discriminator == 0) return tl::unexpected(Refusal::kMyDiscriminator);
  if (out.your_discriminator == 0 && !may_lack_your_discriminator(out.state)) {
    return tl::unexpected(Refusal::kYourDiscriminator);
  }
  return out;
}

WirePacket encode(const Packet& packet) {
  WirePacket out;
  out.size = kPacketBytes;
  out.bytes[kVersionAt] =
      static_cast<std::uint8_t>(kVersion << kVersionShift | static_cast<unsigned>(packet.diagnostic));
  out.bytes[kFlagsAt] = static_cast<std::uint8_t>(
      static_cast<unsigned>(packet.state) << kStateShift | flag_if(packet.poll, kPoll) |
      flag_if(packet.final, kFinal) | flag_if(packet.control_plane_independent, kControlPlaneIndependent) |
      flag_if(packet.demand, kDemand));
  out.bytes[kDetectMultiplierAt] = packet.detect_multiplier;
  out.bytes[kLengthAt] = kPacketBytes;
  put32(out.bytes, kMyDiscriminatorAt, packet.my_discriminator);
  put32(out.bytes, kYourDiscriminatorAt, packet.your_discriminator);
  put32(out.bytes, kDesiredMinTxAt, on_wire(packet.desired_min_tx));
  put32(out.bytes, kRequiredMinRxAt, on_wire(packet.required_min_rx));
  put32(out.bytes, kRequiredMinEchoRxAt, on_wire(packet.required_min_echo_rx));
  return out;
}

}  // namespace holdfast::bfd
