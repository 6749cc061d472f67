#include "common/base/sha.h"

#include <array>
#include <cstdint>
#include <nettle/sha2.h>

namespace holdfast {

std::string sha512_hex(std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::array<std::uint8_t, SHA512_DIGEST_SIZE> digest{};
  sha512_ctx context;
  ::sha512_init(&context);
  ::sha512_update(&context, bytes.size(),
                  static_cast<const std::uint8_t*>(static_cast<const void*>(bytes.data())));
  ::sha512_digest(&context, digest.size(), digest.data());
  std::string hex;
  hex.reserve(2 * digest.size());
  for (const std::uint8_t byte : digest) {
    hex += kHex[byte >> 4];
    hex += kHex[byte & 0xf];
  }
  return hex;
}

}  // namespace holdfast
