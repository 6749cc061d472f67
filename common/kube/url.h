#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::kube {

/// A server's address.
struct Url {
  std::string scheme;  ///< "http" or "https"
  std::string host;    ///< lower case, an IPv6 address without its brackets
  std::uint16_t port = 0;
  std::string path;  ///< "/prefix", without a slash at the end; or empty

  /// "https://[fd00::1]:6443/prefix".
  [[nodiscard]] std::string to_string() const;
  /// "localhost" or an address of this machine's own network: what is sent there is not seen outside.
  [[nodiscard]] bool is_loopback() const;
};

/// SCHEME://HOST[:PORT][/PATH], http or https, nothing else. Errors: kInvalidArgument, with the text.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

}  // namespace holdfast::kube
