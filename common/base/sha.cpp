#include "common/base/sha.h"

#include <nettle/sha1.h>
#include <nettle/sha2.h>

namespace holdfast {
namespace {

const std::uint8_t* octets(std::string_view bytes) {
  return static_cast<const std::uint8_t*>(static_cast<const void*>(bytes.data()));
}

}  // namespace

std::string sha512_hex(std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::array<std::uint8_t, SHA512_DIGEST_SIZE> digest{};
  sha512_ctx context;
  ::sha512_init(&context);
  ::sha512_update(&context, bytes.size(), octets(bytes));
  ::sha512_digest(&context, digest.size(), digest.data());
  std::string hex;
  hex.reserve(2 * digest.size());
  for (const std::uint8_t byte : digest) {
    hex += kHex[byte >> 4];
    hex += kHex[byte & 0xf];
  }
  return hex;
}

std::array<std::uint8_t, 20> sha1(std::string_view bytes) {
  std::array<std::uint8_t, SHA1_DIGEST_SIZE> digest{};
  sha1_ctx context;
  ::sha1_init(&context);
  ::sha1_update(&context, bytes.size(), octets(bytes));
  ::sha1_digest(&context, digest.size(), digest.data());
  return digest;
}

}  // namespace holdfast
