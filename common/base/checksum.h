#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast {

/// CRC-32C (Castagnoli: polynomial 0x1EDC6F41, reflected, start and final value inverted). Finds torn and
/// rotten bytes; no protection against someone who means harm. `so_far` is the checksum of the bytes before,
/// so that crc32c(b, crc32c(a)) is the checksum of a and b together. Source: RFC 3720, section 12.1 and
/// appendix B.4.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t so_far = 0);

}  // namespace holdfast
