#pragma once

#include <vector>

#include "common/inspect/finding.h"
#include "egw-gateway/inspect/gateway_report.h"

namespace holdfast::gateway {

/// What keeps this node's pods from the VPC, or will: egw-helper and what it tells of itself, the stored
/// object, routes of the ranges, and which gateways are alive with which tunnels. None where no gateway is in
/// use. Pure.
[[nodiscard]] std::vector<Finding> gateway_findings(const GatewayReport& report);

}  // namespace holdfast::gateway
