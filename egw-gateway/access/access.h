#pragma once

#include "common/base/log.h"
#include "common/base/result.h"
#include "egw-gateway/access/options.h"

namespace holdfast::gateway {

/// Runs until SIGTERM or SIGINT, which let gateways and routers turn to another access point first (a second
/// one does not wait); SIGHUP: a look at everything. Tunnels, routes and rules stay as they are.
/// Errors: what no waiting cures, the cure named.
Status run_access(const AccessOptions& options, Logger& log);

}  // namespace holdfast::gateway
