#pragma once

#include <string>

#include "common/base/result.h"

namespace holdfast::gateway {

/// Of one end of a tunnel: 32 bytes each, in base64 as WireGuard's tools write them.
struct KeyPair {
  std::string private_key{};
  std::string public_key{};
};

/// Keys for a pool that were not used anywhere.
struct FreshKeys {
  KeyPair a{};
  KeyPair b{};
  std::string liveness{};  ///< what BFD is signed with

  [[nodiscard]] const KeyPair& of(const std::string& gateway) const { return gateway == "a" ? a : b; }
};

/// Errors: that of getrandom(2).
[[nodiscard]] Result<FreshKeys> make_fresh_keys();

/// The public key to a private one. Errors: kInvalidArgument when that is not 32 bytes in base64. Source: RFC
/// 7748 section 6.1.
[[nodiscard]] Result<std::string> public_key_of(const std::string& private_key);

/// RFC 4648 section 4, with padding.
[[nodiscard]] std::string encode_base64(const std::string& bytes);

}  // namespace holdfast::gateway
