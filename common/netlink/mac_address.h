#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast {

/// An Ethernet address (EUI-48). Ordered by value.
class MacAddress {
 public:
  using Bytes = std::array<std::uint8_t, 6>;

  /// 00:00:00:00:00:00
  constexpr MacAddress() = default;
  constexpr explicit MacAddress(const Bytes& bytes) : bytes_(bytes) {}
  /// Six pairs of hexadecimal digits, all joined by ':' or all by '-', any case.
  /// Errors: kInvalidArgument, "'<text>' is not a MAC address".
  [[nodiscard]] static Result<MacAddress> parse(std::string_view text);

  [[nodiscard]] constexpr const Bytes& bytes() const { return bytes_; }
  /// Lower case, joined by ':'.
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] constexpr bool is_zero() const { return bytes_ == Bytes{}; }
  /// Multicast or broadcast: no interface may have it.
  [[nodiscard]] constexpr bool is_group() const { return (bytes_[0] & 1U) != 0; }

  auto operator<=>(const MacAddress&) const = default;
  bool operator==(const MacAddress&) const = default;

 private:
  Bytes bytes_{};
};

}  // namespace holdfast
