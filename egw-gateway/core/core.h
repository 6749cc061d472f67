#pragma once

#include "common/base/log.h"
#include "common/base/result.h"
#include "egw-gateway/core/core_options.h"

namespace holdfast::gateway {

/// Runs until SIGTERM or SIGINT, and then for as long as it takes until nodes and access points send by the
/// other gateway (a second signal: no longer); SIGHUP: a look at everything. Tunnels, routes and rules stay.
/// With `options.prepare`: makes the pod ready, and returns. Errors: what no waiting cures, the cure named.
Status run_core(const CoreOptions& options, Logger& log);

}  // namespace holdfast::gateway
