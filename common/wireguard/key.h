#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::wireguard {

inline constexpr std::size_t kKeyBytes = 32;
using KeyBytes = std::array<std::uint8_t, kKeyBytes>;

/// What a peer is known by: a point of Curve25519. Not secret.
class PublicKey {
 public:
  PublicKey() = default;
  explicit PublicKey(const KeyBytes& bytes) : bytes_(bytes) {}
  /// 44 characters, as wg(8) writes it. Errors: kInvalidArgument.
  [[nodiscard]] static Result<PublicKey> parse(std::string_view base64);
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] const KeyBytes& bytes() const { return bytes_; }

  auto operator<=>(const PublicKey&) const = default;
  bool operator==(const PublicKey&) const = default;

 private:
  KeyBytes bytes_{};
};

/// A private or a preshared key. Has no text form but the one asked for by name, stands in no error, and is
/// wiped from memory when it goes.
class SecretKey {
 public:
  explicit SecretKey(const KeyBytes& bytes) : bytes_(bytes) {}
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey();
  /// As PublicKey::parse(). The error does not repeat the text.
  [[nodiscard]] static Result<SecretKey> parse(std::string_view base64);
  /// Random, and clamped as private keys of Curve25519 are; serves as preshared key as well. Errors: errno of
  /// getrandom(2). Source: RFC 7748 section 5.
  [[nodiscard]] static Result<SecretKey> generate();
  /// For the Secret or file that keeps it.
  [[nodiscard]] std::string reveal() const;
  [[nodiscard]] const KeyBytes& bytes() const { return bytes_; }

  bool operator==(const SecretKey&) const = default;

 private:
  KeyBytes bytes_;
};

/// The public key that belongs to a private one. Errors: kInternal when libcrypto refuses.
[[nodiscard]] Result<PublicKey> public_key_of(const SecretKey& private_key);

}  // namespace holdfast::wireguard
