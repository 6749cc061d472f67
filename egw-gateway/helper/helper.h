#pragma once

#include "common/base/log.h"
#include "common/base/result.h"
#include "egw-gateway/helper/options.h"

namespace holdfast::gateway {

/// Runs until SIGTERM or SIGINT; SIGHUP: a look at everything. Routes and rules stay as they are. With
/// `options.once`: puts what the store tells, and returns. Errors: what no waiting cures, the cure named.
Status run_helper(const HelperOptions& options, Logger& log);

}  // namespace holdfast::gateway
