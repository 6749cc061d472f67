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

}  // namespace holdfast
