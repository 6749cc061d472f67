#include "common/base/checksum.h"

#include <array>
#include <cstddef>

namespace holdfast {
namespace {

constexpr std::uint32_t kReflectedPolynomial = 0x82f63b78;

// Table k holds what a byte becomes that has k bytes behind it, so that eight bytes are taken in one step
// ("slicing by eight", M. Kounavis and F. Berry, 2005): four times as fast as byte by byte, which a log that
// is read at every ADD is worth.
constexpr std::size_t kSlices = 8;
using Tables = std::array<std::array<std::uint32_t, 256>, kSlices>;

constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) {
      remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? kReflectedPolynomial : 0);
    }
    tables[0][byte] = remainder;
  }
  for (std::size_t slice = 1; slice < kSlices; ++slice) {
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[slice - 1][byte];
      tables[slice][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

std::uint32_t byte_at(std::string_view bytes, std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); }

std::uint32_t add_byte(std::uint32_t crc, std::uint32_t byte) {
  return (crc >> 8) ^ kTables[0][(crc ^ byte) & 0xff];
}

std::uint32_t add_eight(std::uint32_t crc, std::string_view bytes) {
  const std::uint32_t low =
      crc ^ (byte_at(bytes, 0) | byte_at(bytes, 1) << 8 | byte_at(bytes, 2) << 16 | byte_at(bytes, 3) << 24);
  return kTables[7][low & 0xff] ^ kTables[6][(low >> 8) & 0xff] ^ kTables[5][(low >> 16) & 0xff] ^
         kTables[4][low >> 24] ^ kTables[3][byte_at(bytes, 4)] ^ kTables[2][byte_at(bytes, 5)] ^
         kTables[1][byte_at(bytes, 6)] ^ kTables[0][byte_at(bytes, 7)];
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t so_far) {
  std::uint32_t crc = ~so_far;
  while (bytes.size() >= kSlices) {
    crc = add_eight(crc, bytes);
    bytes.remove_prefix(kSlices);
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    crc = add_byte(crc, byte_at(bytes, i));
  }
  return ~crc;
}

}  // namespace holdfast
