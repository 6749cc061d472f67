#pragma once

#include "common/base/result.h"
#include "common/netlink/socket.h"
#include "egw-gateway/access/access_plan.h"

namespace holdfast::gateway {

/// Whether an earlier start has left a tunnel, or a closed or published range, that is none of the plan's.
/// Errors: the kernel's.
[[nodiscard]] Result<bool> leaves_behind(nl::Socket& socket, const AccessPlan& plan);

}  // namespace holdfast::gateway
