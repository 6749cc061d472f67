#pragma once

#include <vector>

#include "common/base/cidr.h"
#include "common/firewall/rule_set.h"

namespace holdfast::gateway {

/// What decides a node's packet-filter rules.
struct NodeRules {
  std::vector<Cidr> ranges{};     ///< of the VPC, as they are routed
  std::vector<Cidr> pod_cidrs{};  ///< of the pool
  std::vector<Cidr> own{};        ///< this node's own part of the pods' addresses
  bool has_gateway = false;       ///< one of the pool's gateways runs on this node

  bool operator==(const NodeRules&) const = default;
};

/// One family's:
///
///     raw    from or to this node's own: nothing; pods -> ranges, ranges -> pods: no connection is kept
///            (only where a gateway runs: answers to others may come back by the other one, and a connection
///            of which one direction is missing is one that kube-proxy drops as invalid. Of this node's own
///            pods both directions pass here, also what the gateway beside them says, and a Service's
///            address is to be put back)
///     input  new connections from the ranges are dropped: the cloud reaches pods, not nodes
///
/// Chains that need no rule are not wanted. Pure.
[[nodiscard]] firewall::RuleSet node_rule_set(IpFamily family, const NodeRules& rules);

}  // namespace holdfast::gateway
