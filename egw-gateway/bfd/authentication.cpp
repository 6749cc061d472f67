#include "egw-gateway/bfd/authentication.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "common/base/sha.h"
#include "egw-gateway/bfd/wire.h"

namespace holdfast::bfd {
namespace {

constexpr std::uint8_t kMeticulousSha1 = 5;
constexpr std::size_t kSignedBytes = kPacketBytes + kAuthenticationBytes;
constexpr std::uint32_t kWindow = 3;  // in the peer's detection multipliers: RFC 5880 section 6.7.4

using Digest = std::array<std::uint8_t, 20>;
using Signed = std::array<std::uint8_t, kSignedBytes>;

/// Of a whole packet: with the secret, padded with zeros, where the digest stands.
Digest digest_of(Signed packet, const Key& key) {
  auto* const at = packet.begin() + kDigestAt;
  std::fill(at, packet.end(), std::uint8_t{0});
  std::copy(key.secret.begin(), key.secret.end(), at);
  const void* raw = packet.data();
  return sha1({static_cast<const char*>(raw), packet.size()});
}

/// In the same time wherever they differ.
bool equal(std::span<const std::uint8_t> one, std::span<const std::uint8_t> other) {
  unsigned difference = one.size() == other.size() ? 0 : 1;
  for (std::size_t n = 0; n < std::min(one.size(), other.size()); ++n) {
    difference |= static_cast<unsigned>(one[n] ^ other[n]);
  }
  return difference == 0;
}

}  // namespace

Status check(const Keys& keys) {
  std::set<std::uint8_t> ids;
  std::vector<Key> all = keys.also_accepted;
  all.push_back(keys.send);
  for (const Key& key : all) {
    const std::string name = "BFD key " + std::to_string(key.id);
    if (key.secret.empty() || key.secret.size() > kLongestSecret) {
      return fail(Code::kInvalidArgument,
                  name + " must have 1..20 bytes, has " + std::to_string(key.secret.size()));
    }
    if (!ids.insert(key.id).second) return fail(Code::kInvalidArgument, name + " is given twice");
  }
  return {};
}

Authenticator::Authenticator(Keys keys, std::uint32_t first_sequence)
    : keys_(std::move(keys)), next_sequence_(first_sequence) {}

void Authenticator::sign(WirePacket& packet) {
  packet.bytes[kFlagsAt] |= kAuthenticationFlag;
  packet.bytes[kLengthAt] = kSignedBytes;
  packet.bytes[kTypeAt] = kMeticulousSha1;
  packet.bytes[kSectionLengthAt] = kAuthenticationBytes;
  packet.bytes[kKeyAt] = keys_.send.id;
  packet.bytes[kKeyAt + 1] = 0;
  put32(packet.bytes, kSequenceAt, next_sequence_++);
  const Digest digest = digest_of(packet.bytes, keys_.send);
  std::copy(digest.begin(), digest.end(), packet.bytes.begin() + kDigestAt);
  packet.size = kSignedBytes;
}

std::optional<Refusal> Authenticator::verify(std::span<const std::uint8_t> payload, const Packet& packet,
                                             std::chrono::nanoseconds now,
                                             std::chrono::nanoseconds forgets_after) {
  if (!packet.authenticated) return Refusal::kNotAuthenticated;
  if (payload[kTypeAt] != kMeticulousSha1) return Refusal::kAuthenticationType;
  if (payload[kLengthAt] != kSignedBytes || payload[kSectionLengthAt] != kAuthenticationBytes) {
    return Refusal::kAuthenticationLength;
  }
  const Key* key = find(payload[kKeyAt]);
  if (key == nullptr) return Refusal::kKey;
  const std::uint32_t sequence = get32(payload, kSequenceAt);
  if (last_ && now - last_->at > forgets_after) last_.reset();
  const bool answers_us = packet.your_discriminator != 0;
  const bool same_numbering = last_ && (last_->answered_us || !answers_us);
  if (same_numbering && !in_order(sequence, packet)) return Refusal::kSequence;
  Signed whole{};
  std::copy_n(payload.begin(), whole.size(), whole.begin());
  if (!equal(digest_of(whole, *key), payload.subspan(kDigestAt, Digest{}.size()))) return Refusal::kDigest;
  last_ = {sequence, now, answers_us || (last_ && last_->answered_us)};
  return std::nullopt;
}

/// Behind the last one, and not too far. Modulo 2^32: numbers wrap around.
bool Authenticator::in_order(std::uint32_t sequence, const Packet& packet) const {
  return sequence - last_->sequence - 1 < kWindow * packet.detect_multiplier;
}

const Key* Authenticator::find(std::uint8_t id) const {
  if (keys_.send.id == id) return &keys_.send;
  const auto found = std::find_if(keys_.also_accepted.begin(), keys_.also_accepted.end(),
                                  [&](const Key& key) { return key.id == id; });
  return found == keys_.also_accepted.end() ? nullptr : &*found;
}

}  // namespace holdfast::bfd
