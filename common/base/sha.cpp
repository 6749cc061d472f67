#include "common/base/sha.h"

#include <nettle/hmac.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <span>

namespace holdfast {
namespace {

const std::uint8_t* octets(std::string_view bytes) {
  return static_cast<const std::uint8_t*>(static_cast<const void*>(bytes.data()));
}

std::string_view text(std::span<const std::uint8_t> digest) {
  return {static_cast<const char*>(static_cast<const void*>(digest.data())), digest.size()};
}

}  // namespace

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const char each : bytes) {
    const auto byte = static_cast<std::uint8_t>(each);
    hex += kHex[byte >> 4];
    hex += kHex[byte & 0xf];
  }
  return hex;
}

std::string sha512_hex(std::string_view bytes) {
  std::array<std::uint8_t, SHA512_DIGEST_SIZE> digest{};
  sha512_ctx context;
  ::sha512_init(&context);
  ::sha512_update(&context, bytes.size(), octets(bytes));
  ::sha512_digest(&context, digest.size(), digest.data());
  return to_hex(text(digest));
}

std::string sha256_hex(std::string_view bytes) {
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
  sha256_ctx context;
  ::sha256_init(&context);
  ::sha256_update(&context, bytes.size(), octets(bytes));
  ::sha256_digest(&context, digest.size(), digest.data());
  return to_hex(text(digest));
}

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
  hmac_sha256_ctx context;
  ::hmac_sha256_set_key(&context, key.size(), octets(key));
  ::hmac_sha256_update(&context, bytes.size(), octets(bytes));
  ::hmac_sha256_digest(&context, digest.size(), digest.data());
  return std::string(text(digest));
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
