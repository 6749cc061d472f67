#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/wireguard/tunnel.h"

namespace holdfast::wireguard {

/// The request that asks for an interface's state.
inline constexpr std::string_view kGetRequest = "get=1\n\n";

/// The request that makes a change. Holds secrets: to be wiped after use.
/// Source: https://www.wireguard.com/xplatform/
[[nodiscard]] std::string set_request(const Change& change);

/// The answer to kGetRequest: KEY=VALUE lines, peers begin with public_key, errno=N ends it. Unknown keys are
/// skipped. Errors: errno=N other than 0 (as fail_errno); kInvalidArgument naming the key of a line that
/// cannot be read, never its value; kDataLoss when the answer has no end.
[[nodiscard]] Result<TunnelState> parse_state(std::string_view answer);

/// The answer to a set_request(). Errors: as above.
[[nodiscard]] Status parse_done(std::string_view answer);

}  // namespace holdfast::wireguard
