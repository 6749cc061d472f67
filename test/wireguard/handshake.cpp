#include "test/wireguard/handshake.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <memory>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

#include "common/base/fd.h"

namespace holdfast::test {
namespace {

using Bytes = std::string;

template <auto Release>
struct Releases {
  template <class T>
  void operator()(T* object) const noexcept {
    Release(object);
  }
};
using Pkey = std::unique_ptr<EVP_PKEY, Releases<EVP_PKEY_free>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, Releases<EVP_PKEY_CTX_free>>;
using Mac = std::unique_ptr<EVP_MAC, Releases<EVP_MAC_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Releases<EVP_MAC_CTX_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Releases<EVP_CIPHER_CTX_free>>;

constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kTagBytes = 16;
constexpr std::uint64_t kTai64Base = 0x400000000000000aULL;

void need(bool well, const char* what) {
  if (!well) throw std::runtime_error(std::string("libcrypto: ") + what);
}

unsigned char* raw(Bytes& bytes) {
  void* start = bytes.data();
  return static_cast<unsigned char*>(start);
}
const unsigned char* raw(const Bytes& bytes) {
  const void* start = bytes.data();
  return static_cast<const unsigned char*>(start);
}
Bytes bytes_of(const wireguard::KeyBytes& key) { return {key.begin(), key.end()}; }

Bytes hash(const Bytes& text) {
  Bytes out(kHashBytes, '\0');
  need(::EVP_Digest(text.data(), text.size(), raw(out), nullptr, ::EVP_blake2s256(), nullptr) == 1, "hash");
  return out;
}

Bytes mac_by(const char* algorithm, const Bytes& key, const Bytes& text, std::size_t size,
             const OSSL_PARAM* parameters) {
  const Mac mac(::EVP_MAC_fetch(nullptr, algorithm, nullptr));
  const MacContext context(::EVP_MAC_CTX_new(mac.get()));
  Bytes out(size, '\0');
  std::size_t got = 0;
  need(context && ::EVP_MAC_init(context.get(), raw(key), key.size(), parameters) == 1 &&
           ::EVP_MAC_update(context.get(), raw(text), text.size()) == 1 &&
           ::EVP_MAC_final(context.get(), raw(out), &got, out.size()) == 1 && got == size,
       algorithm);
  return out;
}

Bytes hmac(const Bytes& key, const Bytes& text) {
  std::string name = "BLAKE2S-256";
  const std::array<OSSL_PARAM, 2> parameters{
      ::OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0),
      ::OSSL_PARAM_construct_end()};
  return mac_by("HMAC", key, text, kHashBytes, parameters.data());
}

Bytes mac(const Bytes& key, const Bytes& text) {
  std::size_t size = kTagBytes;
  const std::array<OSSL_PARAM, 2> parameters{::OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                                             ::OSSL_PARAM_construct_end()};
  return mac_by("BLAKE2SMAC", key, text, kTagBytes, parameters.data());
}

/// The next chaining key, and a key to seal with.
std::pair<Bytes, Bytes> derive(const Bytes& chaining, const Bytes& input) {
  const Bytes root = hmac(chaining, input);
  const Bytes first = hmac(root, "\x01");
  return {first, hmac(root, first + "\x02")};
}

Bytes shared_secret(const wireguard::SecretKey& own, const Bytes& theirs) {
  const Pkey key(::EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, own.bytes().data(), kHashBytes));
  const Pkey other(::EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, raw(theirs), theirs.size()));
  const PkeyContext context(::EVP_PKEY_CTX_new(key.get(), nullptr));
  Bytes out(kHashBytes, '\0');
  std::size_t size = out.size();
  need(other && ::EVP_PKEY_derive_init(context.get()) == 1 &&
           ::EVP_PKEY_derive_set_peer(context.get(), other.get()) == 1 &&
           ::EVP_PKEY_derive(context.get(), raw(out), &size) == 1,
       "X25519");
  return out;
}

Bytes seal(const Bytes& key, const Bytes& text, const Bytes& bound_to) {
  const CipherContext context(::EVP_CIPHER_CTX_new());
  const Bytes nonce(12, '\0');
  Bytes out(text.size() + kTagBytes, '\0');
  int size = 0;
  need(::EVP_EncryptInit_ex(context.get(), ::EVP_chacha20_poly1305(), nullptr, raw(key), raw(nonce)) == 1 &&
           ::EVP_EncryptUpdate(context.get(), nullptr, &size, raw(bound_to),
                               static_cast<int>(bound_to.size())) == 1 &&
           ::EVP_EncryptUpdate(context.get(), raw(out), &size, raw(text), static_cast<int>(text.size())) ==
               1 &&
           ::EVP_EncryptFinal_ex(context.get(), raw(out) + size, &size) == 1 &&
           ::EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kTagBytes),
                                 raw(out) + text.size()) == 1,
       "ChaCha20-Poly1305");
  return out;
}

Bytes timestamp(std::chrono::system_clock::time_point when) {
  const auto second = std::chrono::floor<std::chrono::seconds>(when);
  const std::uint64_t tai = kTai64Base + static_cast<std::uint64_t>(second.time_since_epoch().count());
  const auto nanos =
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(when - second).count());
  Bytes out;
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(tai >> shift));
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(nanos >> shift));
  return out;
}

Bytes first_message(const wireguard::SecretKey& own, const wireguard::PublicKey& peer,
                    std::chrono::system_clock::time_point when) {
  const Bytes theirs = bytes_of(peer.bytes());
  const wireguard::SecretKey passing = wireguard::SecretKey::generate().value();
  const Bytes passing_public = bytes_of(wireguard::public_key_of(passing).value().bytes());
  Bytes chaining = hash("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s");
  Bytes bound = hash(hash(chaining + "WireGuard v1 zx2c4 Jason@zx2c4.com") + theirs);
  bound = hash(bound + passing_public);
  Bytes key;
  chaining = derive(chaining, passing_public).first;
  std::tie(chaining, key) = derive(chaining, shared_secret(passing, theirs));
  const Bytes who = seal(key, bytes_of(wireguard::public_key_of(own).value().bytes()), bound);
  bound = hash(bound + who);
  std::tie(chaining, key) = derive(chaining, shared_secret(own, theirs));
  Bytes out("\x01\0\0\0mine", 8);
  out += passing_public + who + seal(key, timestamp(when), bound);
  out += mac(hash("mac1----" + theirs), out);
  return out + Bytes(kTagBytes, '\0');
}

}  // namespace

bool begins_handshake(const wireguard::SecretKey& own, const wireguard::PublicKey& peer,
                      const wireguard::Endpoint& to, std::chrono::system_clock::time_point when) {
  const Bytes message = first_message(own, peer, when);
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const timeval patience{.tv_sec = 1, .tv_usec = 0};
  static_cast<void>(::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(to.port);
  if (::inet_pton(AF_INET, to.address.to_string().c_str(), &at.sin_addr) != 1) return false;
  const void* address = &at;
  if (::sendto(socket.get(), message.data(), message.size(), 0, static_cast<const sockaddr*>(address),
               sizeof at) < 0)
    return false;
  std::array<char, 256> answer{};
  constexpr char kAnswer = 2;
  return ::recv(socket.get(), answer.data(), answer.size(), 0) > 0 && answer.front() == kAnswer;
}

}  // namespace holdfast::test
