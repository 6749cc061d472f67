#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "egw-gateway/bfd/packet.h"
#include "egw-gateway/bfd/refusal.h"

namespace holdfast::bfd {

inline constexpr std::size_t kLongestSecret = 20;

/// One secret that both ends of a session know. Never logged, and in no error's text.
struct Key {
  std::uint8_t id = 0;
  std::string secret;  ///< 1..20 bytes

  bool operator==(const Key&) const = default;
};

/// The keys of a session. While a key is exchanged for another both are accepted, and each end changes over
/// to sending the new one when the other is known to accept it.
struct Keys {
  Key send;
  std::vector<Key> also_accepted;  ///< told apart from `send` and from each other by their ids

  bool operator==(const Keys&) const = default;
};

/// Errors: kInvalidArgument: a secret that is empty or longer than 20 bytes, or an id used twice; names the
/// id.
[[nodiscard]] Status check(const Keys& keys);

/// Meticulous keyed SHA1: every packet carries a number higher than the last one's, and a digest over itself
/// and the secret. Shape, behind the mandatory section: type 5, length 28, key id, 0, sequence number (4
/// bytes), digest (20 bytes).
///
/// A packet that was recorded says what is true no more. While the peer lives its number is used up. When the
/// peer has died its number is forgotten, but the session has another discriminator: what answered the old
/// one does not come here. What answers nobody (a Down with Your Discriminator 0) might be of any day: its
/// number is not held against a packet that answers us.
///
/// Source: RFC 5880 sections 4.4, 6.7.1 and 6.7.4, but that a packet with a wrong digest changes nothing: the
/// RFC's order of checks would let anybody set the sequence number of a session that has none.
class Authenticator {
 public:
  /// `keys` passed check(). `first_sequence` is to be random: RFC 5880 section 6.8.1, bfd.XmitAuthSeq.
  Authenticator(Keys keys, std::uint32_t first_sequence);

  /// Adds the authentication to a mandatory section.
  void sign(WirePacket& packet);

  /// Holds the authentication of `payload`, which parse_packet() made `packet` of, against the keys and the
  /// last sequence number. That is forgotten when nothing was accepted for `forgets_after`, twice the
  /// detection time: a peer that began anew counts from another number. nullopt: accepted.
  std::optional<Refusal> verify(std::span<const std::uint8_t> payload, const Packet& packet,
                                std::chrono::nanoseconds now, std::chrono::nanoseconds forgets_after);

  /// Sequence numbers go on. `keys` passed check().
  void set_keys(Keys keys) { keys_ = std::move(keys); }

 private:
  struct Accepted {
    std::uint32_t sequence = 0;
    std::chrono::nanoseconds at{};
    bool answered_us = false;  // this one, or one of the same numbering before it
  };
  [[nodiscard]] const Key* find(std::uint8_t id) const;
  [[nodiscard]] bool in_order(std::uint32_t sequence, const Packet& packet) const;

  Keys keys_;
  std::uint32_t next_sequence_;
  std::optional<Accepted> last_;
};

}  // namespace holdfast::bfd
