#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace holdfast::bfd {

/// Why a received packet was discarded, in the order of the checks; but the hop limit of a session over
/// several hops is looked at once the session is known. Source: RFC 5880 sections 6.7.4 and 6.8.6, RFC 5881
/// sections 3 and 5, RFC 5883 section 4.
enum class Refusal : std::uint8_t {
  kHopLimit,                  ///< came over more hops than its session allows
  kSize,                      ///< fewer bytes than a packet has, or than its Length says
  kVersion,                   ///< not version 1
  kLength,                    ///< Length is less than the mandatory part, or than it and its authentication
  kDetectMultiplier,          ///< Detect Mult is 0
  kMultipoint,                ///< bit M is set
  kMyDiscriminator,           ///< My Discriminator is 0
  kYourDiscriminator,         ///< Your Discriminator is 0 in a state other than Down and AdminDown
  kNoSession,                 ///< no session of ours: by Your Discriminator, or by its addresses
  kAddress,                   ///< a session of ours, and not from its peer, to its address, by its interface
  kNotAuthenticated,          ///< the session asks for authentication and there is none
  kUnexpectedAuthentication,  ///< the other way round
  kAuthenticationType,        ///< not the session's type
  kAuthenticationLength,      ///< not the length of that type
  kKey,                       ///< a key that the session does not have
  kSequence,                  ///< replayed, or too far ahead
  kDigest,                    ///< made with another key, or changed on the way
};
inline constexpr std::size_t kRefusals = static_cast<std::size_t>(Refusal::kDigest) + 1;

/// In lower case with underscores, as a label of a metric: "hop_limit".
[[nodiscard]] std::string_view to_string(Refusal refusal);

}  // namespace holdfast::bfd
