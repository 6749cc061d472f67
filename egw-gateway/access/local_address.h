#pragma once

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/socket.h"

namespace holdfast::gateway {

/// The address of ours that packets to `peer` bear, as this machine's routes are. Nothing is sent. Errors:
/// errno of connect(2): no way there.
[[nodiscard]] Result<IpAddress> local_address_towards(const IpAddress& peer);
/// Whether a link of this machine has the address. Errors: errno of netlink(7).
[[nodiscard]] Result<bool> has_address(nl::Socket& socket, const IpAddress& address);

}  // namespace holdfast::gateway
