#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/cidr.h"
#include "common/base/flags.h"
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

/// --healthz of a program that serves its health and metrics. `target` outlives the flags.
void add_healthz_flag(Flags& flags, ListenAddress& target);

}  // namespace holdfast::http
