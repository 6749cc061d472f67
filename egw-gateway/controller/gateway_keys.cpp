#include "egw-gateway/controller/gateway_keys.h"

#include <sys/random.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <nettle/base64.h>
#include <nettle/curve25519.h>

#include "common/base/base64.h"
#include "common/base/sha.h"

namespace holdfast::gateway {
namespace {

// As many as a key of SHA-1 can have. Source: RFC 5880 section 6.7.4
constexpr std::size_t kLivenessBytes = 10;
constexpr unsigned kLowBits = 0xf8;
constexpr unsigned kHighBits = 0x7f;
constexpr unsigned kSecondHighest = 0x40;

Result<std::string> random_bytes(std::size_t count) {
  std::string out(count, '\0');
  const ssize_t got = ::getrandom(out.data(), out.size(), 0);
  if (got < 0) return fail_errno(errno, "random bytes for a key");
  if (static_cast<std::size_t>(got) != count) return fail(Code::kInternal, "too few random bytes for a key");
  return out;
}

// Source: RFC 7748 section 5, decodeScalar25519
std::uint8_t masked(char byte, unsigned mask) {
  return static_cast<std::uint8_t>(static_cast<unsigned char>(byte) & mask);
}

Result<KeyPair> make_pair() {
  HOLDFAST_TRY(std::string secret, random_bytes(CURVE25519_SIZE));
  secret.front() = static_cast<char>(masked(secret.front(), kLowBits));
  secret.back() = static_cast<char>(masked(secret.back(), kHighBits) | kSecondHighest);
  KeyPair out;
  out.private_key = encode_base64(secret);
  HOLDFAST_TRY(out.public_key, public_key_of(out.private_key));
  return out;
}

}  // namespace

Result<FreshKeys> make_fresh_keys() {
  FreshKeys out;
  HOLDFAST_TRY(out.a, make_pair());
  HOLDFAST_TRY(out.b, make_pair());
  HOLDFAST_TRY(const std::string secret, random_bytes(kLivenessBytes));
  out.liveness = to_hex(secret);
  return out;
}

Result<std::string> public_key_of(const std::string& private_key) {
  const Result<std::string> secret = decode_base64(private_key);
  if (!secret || secret->size() != CURVE25519_SIZE) {
    return fail(Code::kInvalidArgument, "a private key is not 32 bytes in base64");
  }
  const std::string& bytes = *secret;
  std::string out(CURVE25519_SIZE, '\0');
  curve25519_mul_g(reinterpret_cast<std::uint8_t*>(out.data()),
                   reinterpret_cast<const std::uint8_t*>(bytes.data()));
  return encode_base64(out);
}

std::string encode_base64(const std::string& bytes) {
  std::string out(BASE64_ENCODE_RAW_LENGTH(bytes.size()), '\0');
  base64_encode_raw(out.data(), bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
  return out;
}

}  // namespace holdfast::gateway
