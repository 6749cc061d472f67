#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/cidr.h"
#include "common/base/result.h"

namespace holdfast::http {

/// Where pages are served.
struct ListenAddress {
  IpAddress address;
  std::uint16_t port = 0;  ///< 0: nowhere
  bool operator==(const ListenAddress&) const = default;
};

/// "127.0.0.1:9808", "[::1]:9808", or ":9808" for all addresses of both families. Errors: kInvalidArgument.
[[nodiscard]] Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace holdfast::http
