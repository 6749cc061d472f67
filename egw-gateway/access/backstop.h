#pragma once

#include <cstdint>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/socket.h"

namespace holdfast::gateway {

/// What its routes bear: another than routes to pods, which routing daemons tell on.
inline constexpr std::uint8_t kBackstopProtocol = 160;

/// Keeps, behind all other routes of this machine:
///
///     unreachable RANGE proto 160 metric 1000000
///
/// for these ranges and no others, so that packets for pods never leave in clear: not before a tunnel is
/// made, and not when one goes with the link that routes led to. Errors: the first; the others are put all
/// the same.
Status keep_backstop(nl::Socket& socket, const std::vector<Cidr>& ranges);

}  // namespace holdfast::gateway
