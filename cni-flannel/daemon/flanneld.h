#pragma once

#include "cni-flannel/daemon/options.h"
#include "common/base/log.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// The whole program: runs until SIGTERM or SIGINT, which leave the kernel and all files as they are. SIGHUP
/// makes it look at everything again. Errors: what no waiting cures, with the cure; kAddressesExclude
/// (conflict_keeper.h) when the node cannot join because its own network is in the pods' range.
Status run_flanneld(Options options, Logger& log);

/// What the program ends with: 0; 3 for kAddressesExclude, which no restart cures; 1.
[[nodiscard]] int exit_status(const Status& ended);

}  // namespace holdfast::flannel
