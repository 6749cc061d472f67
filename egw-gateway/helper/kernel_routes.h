#pragma once

#include "common/base/result.h"
#include "common/netlink/monitor.h"
#include "common/netlink/socket.h"
#include "egw-gateway/helper/node_routes.h"

namespace holdfast::gateway {

/// Errors: the kernel's.
Result<NodeFacts> read_facts(nl::Socket& socket, const LinkNames& names);

/// Does all that can be done, in the order of RouteChanges. Errors: the first.
Status apply_routes(nl::Socket& socket, const RouteChanges& changes);

/// Whether an event may change what is to be done: of our routes, rules and links, or of ways to `gateways`.
[[nodiscard]] bool concerned_by(const nl::Event& event, const std::vector<Gateway>& gateways,
                                const NodeFacts& facts, const LinkNames& names);

}  // namespace holdfast::gateway
