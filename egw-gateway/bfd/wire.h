#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

// For the .cpp files of this folder only: where things stand in a packet, and numbers in network byte order.
namespace holdfast::bfd {

///       0  | Vers 3 bits, Diag 5 bits
///       1  | Sta 2 bits, then P F C A D M
///       2  | Detect Mult
///       3  | Length
///       4  | My Discriminator
///       8  | Your Discriminator
///      12  | Desired Min TX Interval, us
///      16  | Required Min RX Interval, us
///      20  | Required Min Echo RX Interval, us
///     and when A is set, of meticulous keyed SHA1:
///      24  | Auth Type
///      25  | Auth Len
///      26  | Auth Key ID, and a 0
///      28  | Sequence Number
///      32  | Auth Key/Hash, 20 bytes
///
/// Source: RFC 5880 sections 4.1 and 4.4.
inline constexpr std::size_t kVersionAt = 0;
inline constexpr std::size_t kFlagsAt = 1;
inline constexpr std::size_t kDetectMultiplierAt = 2;
inline constexpr std::size_t kLengthAt = 3;
inline constexpr std::size_t kMyDiscriminatorAt = 4;
inline constexpr std::size_t kYourDiscriminatorAt = 8;
inline constexpr std::size_t kDesiredMinTxAt = 12;
inline constexpr std::size_t kRequiredMinRxAt = 16;
inline constexpr std::size_t kRequiredMinEchoRxAt = 20;
inline constexpr std::size_t kTypeAt = 24;
inline constexpr std::size_t kSectionLengthAt = 25;
inline constexpr std::size_t kKeyAt = 26;
inline constexpr std::size_t kSequenceAt = 28;
inline constexpr std::size_t kDigestAt = 32;

inline constexpr unsigned kVersionShift = 5;
inline constexpr unsigned kDiagnosticBits = 0x1f;
inline constexpr unsigned kStateShift = 6;
inline constexpr std::uint8_t kAuthenticationFlag = 0x04;

/// The four bytes from `at` on, which the caller knows to be there.
inline std::uint32_t get32(std::span<const std::uint8_t> bytes, std::size_t at) {
  return std::uint32_t{bytes[at]} << 24U | std::uint32_t{bytes[at + 1]} << 16U |
         std::uint32_t{bytes[at + 2]} << 8U | std::uint32_t{bytes[at + 3]};
}

inline void put32(std::span<std::uint8_t> bytes, std::size_t at, std::uint32_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 24U);
  bytes[at + 1] = static_cast<std::uint8_t>(value >> 16U);
  bytes[at + 2] = static_cast<std::uint8_t>(value >> 8U);
  bytes[at + 3] = static_cast<std::uint8_t>(value);
}

}  // namespace holdfast::bfd
