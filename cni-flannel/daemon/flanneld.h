#pragma once

#include "cni-flannel/daemon/options.h"
#include "common/base/log.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// The whole program: runs until SIGTERM or SIGINT, which leave the kernel and all files as they are. SIGHUP
/// makes it look at everything again. Errors: what no waiting cures, with the cure.
Status run_flanneld(Options options, Logger& log);

}  // namespace holdfast::flannel
