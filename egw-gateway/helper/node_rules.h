#pragma once

#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/firewall/rule_set.h"

namespace holdfast::gateway {

/// What decides a node's packet-filter rules.
struct NodeRules {
  std::vector<Cidr> ranges{};       ///< of the VPC, as they are routed for what begins here
  std::vector<Cidr> transit{};      ///< the same for what other nodes send
  std::vector<Cidr> pod_cidrs{};    ///< of the pool
  std::vector<Cidr> own{};          ///< this node's own part of the pods' addresses
  std::vector<IpAddress> node{};    ///< of those its own, not its pods'
  std::vector<std::string> ways{};  ///< links by which ranges may be left for: the bridge, the overlay's
  /// Of the pod of the pool's gateway that runs on this node; none: there is no such.
  std::vector<IpAddress> gateway{};

  bool operator==(const NodeRules&) const = default;
};

/// One family's:
///
///     raw    liveness of gateways, to this node, and in a chain of its own from it: no connection is kept
///            (the rest only where a gateway runs)
///            from or to the node itself: as ever
///            pods -> gateway, gateway -> pods: no connection is kept. It says "too big" of packets whose
///            connections are not kept, and answers its neighbours by the node, while they reach it past it
///            from or to this node's own pods: as ever. Both directions pass here, also what the gateway
///            beside them sends, and a Service's address is to be put back
///            pods -> transit, transit -> pods: no connection is kept. Answers may come back by the other
///            gateway, and a connection of which one direction is missing is one that kube-proxy drops as
///            invalid
///            ICMP errors -> pods: the same, whoever sends them: they are about packets of which nothing is kept
///     input  new connections from the ranges are dropped: the cloud reaches pods, not nodes
///     lan    what others send by this node, as if it were their router, and what is for a range, is dropped: of a
///            site's machines the gateway would take one with a node's address for that node. Not what kube-proxy
///            sends on with the node's own address
///     leaving  what is for a range and leaves by another link than the overlay's or the bridge is dropped.
///            The routes see to it that nothing does; this is for the time in which somebody took them, or
///            the rules that lead to them, away, or put a rule of his own before them
///
/// Chains that need no rule are not wanted. Pure.
[[nodiscard]] firewall::RuleSet node_rule_set(IpFamily family, const NodeRules& rules);

}  // namespace holdfast::gateway
