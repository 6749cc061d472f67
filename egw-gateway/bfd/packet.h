#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tl/expected.hpp>

#include "egw-gateway/bfd/refusal.h"

namespace holdfast::bfd {

/// Source: RFC 5880 section 4.1, "State (Sta)".
enum class State : std::uint8_t { kAdminDown = 0, kDown = 1, kInit = 2, kUp = 3 };
/// "AdminDown", "Down", "Init", "Up", as the RFC spells them.
[[nodiscard]] std::string_view to_string(State state);

/// Why a session last changed its state. What a peer sends may be a number without a name, 9..31.
/// Source: RFC 5880 section 4.1, "Diagnostic (Diag)".
enum class Diagnostic : std::uint8_t {
  kNone = 0,
  kDetectionTimeExpired = 1,
  kEchoFailed = 2,
  kNeighborSignaledDown = 3,
  kForwardingPlaneReset = 4,
  kPathDown = 5,
  kConcatenatedPathDown = 6,
  kAdministrativelyDown = 7,
  kReverseConcatenatedPathDown = 8,
};
/// In words: "detection time expired"; "unknown" for a number without a name.
[[nodiscard]] std::string_view to_string(Diagnostic diagnostic);

/// The mandatory section of one BFD control packet, in host order. Source: RFC 5880 section 4.1.
struct Packet {
  State state = State::kDown;
  Diagnostic diagnostic = Diagnostic::kNone;
  bool poll = false;
  bool final = false;
  bool control_plane_independent = false;
  bool authenticated = false;  ///< an authentication section follows; Authenticator reads it
  bool demand = false;
  std::uint8_t detect_multiplier = 3;
  std::uint32_t my_discriminator = 0;
  std::uint32_t your_discriminator = 0;
  std::chrono::microseconds desired_min_tx{};        ///< 32 bits on the wire: at most kLongestInterval
  std::chrono::microseconds required_min_rx{};       ///< likewise; 0: wants no periodic packets
  std::chrono::microseconds required_min_echo_rx{};  ///< likewise; 0: echoes nothing

  bool operator==(const Packet&) const = default;
};

inline constexpr std::chrono::microseconds kLongestInterval{0xffffffff};
inline constexpr std::size_t kPacketBytes = 24;
/// Of the longest authentication section that is made here, SHA1's.
inline constexpr std::size_t kAuthenticationBytes = 28;

/// A packet as it is sent.
struct WirePacket {
  std::array<std::uint8_t, kPacketBytes + kAuthenticationBytes> bytes{};
  std::size_t size = 0;

  [[nodiscard]] std::span<const std::uint8_t> view() const { return {bytes.data(), size}; }
};

/// Reads the mandatory section and holds it against all rules that need no session: RFC 5880 section 6.8.6
/// from the version to the discriminators. `payload` is that of the UDP datagram; what stands in it beyond
/// Length is ignored. Errors: kSize..kYourDiscriminator.
[[nodiscard]] tl::expected<Packet, Refusal> parse_packet(std::span<const std::uint8_t> payload);

/// The mandatory section. `authenticated` is left out: Authenticator::sign() sets it with what it adds.
[[nodiscard]] WirePacket encode(const Packet& packet);

}  // namespace holdfast::bfd
