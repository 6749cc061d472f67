#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast {

enum class IpFamily : std::uint8_t { kV4, kV6 };

/// An IPv4 or IPv6 address in network byte order. IPv4-mapped IPv6 (::ffff:a.b.c.d) stays IPv6.
/// Ordered by family, then by value.
class IpAddress {
 public:
  /// 0.0.0.0
  IpAddress() = default;
  [[nodiscard]] static IpAddress v4(std::array<std::uint8_t, 4> bytes);
  [[nodiscard]] static IpAddress v6(std::array<std::uint8_t, 16> bytes);
  /// Text form of inet_pton(3), which refuses leading zeros, zones and white space.
  /// Errors: kInvalidArgument, "'<text>' is not an IP address".
  [[nodiscard]] static Result<IpAddress> parse(std::string_view text);

  [[nodiscard]] IpFamily family() const { return family_; }
  [[nodiscard]] bool is_v4() const { return family_ == IpFamily::kV4; }
  /// 32 or 128.
  [[nodiscard]] std::uint8_t bits() const { return is_v4() ? 32 : 128; }
  /// 4 or 16 bytes, network byte order.
  [[nodiscard]] std::span<const std::uint8_t> bytes() const;
  /// RFC 5952 text form, except that ::/96 keeps the dotted tail inet_ntop(3) gives it.
  [[nodiscard]] std::string to_string() const;
  /// The address `n` further on; nullopt past the end of the address space.
  [[nodiscard]] std::optional<IpAddress> plus(std::uint64_t n) const;
  /// How far `this` is behind `base` (this - base), or nullopt when it is before it, of the other family, or
  /// further than 2^64 - 1.
  [[nodiscard]] std::optional<std::uint64_t> distance_from(const IpAddress& base) const;

  auto operator<=>(const IpAddress&) const = default;
  bool operator==(const IpAddress&) const = default;

 private:
  IpFamily family_ = IpFamily::kV4;
  std::array<std::uint8_t, 16> bytes_{};  // IPv4 uses the first four, the rest stays zero
};

/// An address with its prefix length; host bits are kept ("10.244.3.1/24" is an interface address).
class Cidr {
 public:
  /// 0.0.0.0/0
  Cidr() = default;
  /// Errors: kInvalidArgument when `prefix` exceeds the family's bits.
  [[nodiscard]] static Result<Cidr> make(IpAddress address, unsigned prefix);
  /// "ADDRESS/PREFIX", the prefix without sign or leading zero. Errors: kInvalidArgument, "'<text>' is not a
  /// CIDR".
  [[nodiscard]] static Result<Cidr> parse(std::string_view text);

  [[nodiscard]] const IpAddress& address() const { return address_; }
  [[nodiscard]] std::uint8_t prefix() const { return prefix_; }
  [[nodiscard]] IpFamily family() const { return address_.family(); }
  [[nodiscard]] bool is_v4() const { return address_.is_v4(); }
  /// The same prefix with the host bits cleared.
  [[nodiscard]] Cidr network() const;
  /// First and last address of the block (network and, for IPv4, broadcast address).
  [[nodiscard]] IpAddress first() const;
  [[nodiscard]] IpAddress last() const;
  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] bool contains(const Cidr& other) const;
  [[nodiscard]] bool overlaps(const Cidr& other) const;
  [[nodiscard]] std::string to_string() const;

  auto operator<=>(const Cidr&) const = default;
  bool operator==(const Cidr&) const = default;

 private:
  IpAddress address_;
  std::uint8_t prefix_ = 0;
};

}  // namespace holdfast
