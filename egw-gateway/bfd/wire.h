#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

// For the .cpp files of this folder only: where things stand in a packet, and numbers in network byte order.
namespace holdfast::bfd {

inline constexpr std::size_t kFlagsAt = 1;
inline constexpr std::size_t kLengthAt = 3;
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
