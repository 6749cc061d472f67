#pragma once

#include <string>
#include <vector>

#include "common/base/log.h"
#include "common/base/result.h"
#include "csi-lvm/nrm/options.h"
#include "csi-lvm/nrm/plan.h"

namespace holdfast::nrm {

/// The whole program: runs until SIGTERM or SIGINT; SIGHUP makes a pass. With --dry-run or --once one pass,
/// whose table goes to standard output. Errors: what no waiting cures, with the cure.
Status run_node_resource_manager(const ManagerOptions& options, Logger& log);

/// The rows in columns: entry, device, identity, action, reason; a line each, a heading above.
[[nodiscard]] std::string plan_table(const std::vector<PlanRow>& rows);

}  // namespace holdfast::nrm
