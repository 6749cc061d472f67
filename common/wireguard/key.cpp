#include "common/wireguard/key.h"

#include <string.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <openssl/evp.h>
#include <optional>

#include "common/base/base64.h"
#include "common/wireguard/wiped.h"

namespace holdfast::wireguard {
namespace {

struct PkeyRelease {
  void operator()(EVP_PKEY* key) const noexcept { ::EVP_PKEY_free(key); }
};
using PkeyPtr = std::unique_ptr<EVP_PKEY, PkeyRelease>;

constexpr std::size_t kTextLength = 44;

std::optional<KeyBytes> bytes_of(std::string_view base64) {
  if (base64.size() != kTextLength) return std::nullopt;
  std::string text = decode_base64(base64).value_or("");
  const Wiped wiped(text);
  if (text.size() != kKeyBytes) return std::nullopt;
  KeyBytes out{};
  std::copy(text.begin(), text.end(), out.begin());
  return out;
}

std::string base64_of(const KeyBytes& bytes) {
  const void* raw = bytes.data();
  return encode_base64({static_cast<const char*>(raw), bytes.size()});
}

}  // namespace

Result<PublicKey> PublicKey::parse(std::string_view base64) {
  if (const auto bytes = bytes_of(base64)) return PublicKey(*bytes);
  return fail(Code::kInvalidArgument,
              "'" + std::string(base64) + "' is not a WireGuard key: 32 bytes in base64");
}

std::string PublicKey::to_string() const { return base64_of(bytes_); }

SecretKey::~SecretKey() { ::explicit_bzero(bytes_.data(), bytes_.size()); }

Result<SecretKey> SecretKey::parse(std::string_view base64) {
  if (const auto bytes = bytes_of(base64)) return SecretKey(*bytes);
  return fail(Code::kInvalidArgument, "a secret key of WireGuard must be 32 bytes in base64");
}

Result<SecretKey> SecretKey::generate() {
  KeyBytes bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return fail_errno(errno, "draw a WireGuard key");
  }
  bytes.front() &= 248U;
  bytes.back() = static_cast<std::uint8_t>((bytes.back() & 127U) | 64U);
  SecretKey out(bytes);
  ::explicit_bzero(bytes.data(), bytes.size());
  return out;
}

std::string SecretKey::reveal() const { return base64_of(bytes_); }

Result<PublicKey> public_key_of(const SecretKey& private_key) {
  const PkeyPtr key(
      ::EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, private_key.bytes().data(), kKeyBytes));
  KeyBytes out{};
  std::size_t size = out.size();
  if (!key || ::EVP_PKEY_get_raw_public_key(key.get(), out.data(), &size) != 1 || size != out.size()) {
    return fail(Code::kInternal, "libcrypto makes no public key of a WireGuard key");
  }
  return PublicKey(out);
}

}  // namespace holdfast::wireguard
