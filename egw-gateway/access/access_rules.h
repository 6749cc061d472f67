#pragma once

#include <vector>

#include "common/base/cidr.h"
#include "common/firewall/rule_set.h"
#include "egw-gateway/access/access_plan.h"

namespace holdfast::gateway {

/// What passes between tunnels and the VPC at an access point, one family's; "cloud" is what the pool may
/// reach, `routers` are those of the VPC that are spoken to by BFD. What says TUNNEL stands in chains of that
/// link, so that a packet meets the rules of its own tunnels alone, whatever the number of pools:
///
///     raw       from tunnels and routers, BFD              untrack
///     raw       to them, of this machine itself, BFD       untrack
///     raw       from pods, to pods                         untrack    they may come and go by different gateways
///     input     TUNNEL from its gateway to this end, BFD   accept
///               any tunnel, answers                        accept
///               any tunnel                                 drop, counted
///     forward   TUNNEL from its pool's pods to cloud       accept
///               TUNNEL from its gateway to cloud           accept     edge nodes, translated
///               cloud to its pool's pods, by TUNNEL        accept
///               cloud to its gateway, by TUNNEL            accept     answers to edge nodes
///               ICMP errors to its pool's pods, by TUNNEL  accept     of whatever router they are
///               by any tunnel, in or out                   drop, counted
///
/// So who has a gateway's key reaches what its pool may reach, with addresses of its pool, and nothing of
/// other pools. What does not pass a tunnel is not ours to judge. Pure.
[[nodiscard]] firewall::RuleSet access_rules(const AccessPlan& plan, const std::vector<IpAddress>& routers,
                                             IpFamily family);

}  // namespace holdfast::gateway
