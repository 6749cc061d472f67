#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast {

/// SHA-512 as 128 lower-case hex digits. For names that must equal those upstream derives by it, not for
/// secrets. Source: FIPS 180-4.
[[nodiscard]] std::string sha512_hex(std::string_view bytes);
/// SHA-1, as it comes, for the same purpose. Source: FIPS 180-4.
[[nodiscard]] std::array<std::uint8_t, 20> sha1(std::string_view bytes);
/// SHA-256 as 64 lower-case hex digits. Source: FIPS 180-4.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);
/// HMAC with SHA-256, as it comes: 32 bytes. Source: RFC 2104.
[[nodiscard]] std::string hmac_sha256(std::string_view key, std::string_view bytes);
/// Lower-case hex digits, two a byte.
[[nodiscard]] std::string to_hex(std::string_view bytes);

}  // namespace holdfast
