#pragma once

#include "common/base/cidr.h"
#include "common/inspect/inspector.h"
#include "egw-gateway/inspect/gateway_report.h"
#include "egw-gateway/inspect/kernel_ways.h"

namespace holdfast::gateway {

/// The way of packets from this node and its pods to `address` in the cloud, a line a hop, and below each
/// what is broken there:
///
///     172.16.0.5: in 172.16.0.0/12 of the VPC, which pool hangzhou reaches by its gateways
///       this node: 172.16.0.0/12 via 10.244.1.0 dev flannel.1 onlink metric 37 table 20158, to gateway a
///       gateway a: pod 10.244.1.7 on node1, by the overlay; is up
///       tunnel a - one: to 203.0.113.9 port 51821; answers, last handshake 12 s ago
///       the VPC: ...
///
/// `ways`: what the kernel says of the same address; where that is not what the routes of egw-helper are to
/// bring about, it is told.
///
/// Empty where no gateway is in use, and for what is the pool's own: the network's part knows it. Pure.
[[nodiscard]] Explanation explain_way(const GatewayReport& report, const IpAddress& address,
                                      const std::vector<KernelWay>& ways = {});

}  // namespace holdfast::gateway
