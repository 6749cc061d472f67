#pragma once

#include "egw-gateway/inspect/gateway_report.h"

namespace holdfast::test {

/// Node 3 of a pool whose gateways run on node1 (a) and node2 (b), as all of it is when it is well: the
/// routes lead to a, by the overlay.
///
///     eth0 (2) 192.168.77.3   cni0 (3) 10.244.3.1   flannel.1 (4) 10.244.3.0
///     VPC 172.16.0.0/12, pods in the cloud 10.200.0.0/16, exempt 172.20.0.0/16; access points one and two
gateway::GatewayReport well_report();

/// `dst` through eth0's router, as somebody would write it by hand.
nl::Route foreign_route(const char* dst, const char* gateway);

}  // namespace holdfast::test
