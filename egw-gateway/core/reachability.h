#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/cidr.h"
#include "common/firewall/firewall.h"
#include "common/firewall/rule_set.h"

namespace holdfast::gateway {

/// Who may talk to whom through a gateway, as its packets show it. Both families, in any order.
struct Reachability {
  std::string edge_link;           ///< towards the pool, "eth0"
  firewall::LinkMatch tunnels;     ///< towards the cloud
  std::vector<Cidr> pods;          ///< the pool's pod ranges
  std::vector<Cidr> node_subnets;  ///< each node's part of them: its first two addresses are the node's own
  std::vector<IpAddress> nodes;    ///< addresses of the nodes in their own networks
  std::vector<Cidr> cloud_pods;    ///< looked at before `vpc`, which may hold them
  std::vector<Cidr> vpc;
  /// What nodes are seen as in the cloud, one a family: an address that leads to this gateway alone. Nodes of
  /// a family without one reach nothing: their answers would go astray.
  std::vector<IpAddress> translations;

  bool operator==(const Reachability&) const = default;
};

/// What happens to a forwarded packet, and is counted apart.
enum class Passage : std::uint8_t {
  kPodToVpc,
  kVpcToPod,
  kPodToCloudPod,
  kCloudPodToPod,
  kNodeToVpc,
  kNodeToCloudPod,
  kAnswerToNode,   ///< of a connection that a node began
  kRefusedToNode,  ///< from the cloud to a node: dropped, and the sender is told
  kDropped,        ///< anything else
};
inline constexpr std::size_t kPassages = 9;
/// "pod-to-vpc": a metric's label.
[[nodiscard]] std::string_view to_string(Passage passage);
using PassageCounts = std::array<firewall::RuleCount, kPassages>;

/// One family's rules, with the passage that each rule counts.
struct ReachabilityRules {
  firewall::RuleSet set;
  std::vector<std::vector<std::optional<Passage>>> passages;  ///< of the set's chains and their rules
};

/// In a namespace where nothing else is forwarded; E is the link to the edge, T are tunnels, O what of the
/// pod ranges P is the nodes' own, N their other addresses, C the cloud's ranges, X the translation:
///
///     raw          E from O, T to O        return             nodes' connections are kept track of,
///                  E from P to C, T from C to P  untrack      pods' packets are judged one by one:
///                                                             they may come and go by different gateways
///     mangle       SYNs                    clamp the MSS
///     forward      T to E, answers         accept
///                  T to O                  refuse
///                  E to T from O to C      accept with an X, and then from O drop
///                  E to T from P to C, T to E from C to P     accept
///                  E to T from N to C      accept with an X
///                  T to N                  refuse
///                  all                     drop
///     postrouting  to T from O, from N     translate to X
///
/// What is judged before pods are costs one rule a pod range where all its nodes have subnets of one size: a
/// mask picks the first two addresses of each, also of those that are not known. In a range of several sizes
/// it is one rule a node. In a pod range of which no node is known there are no pods. Addresses of nodes that
/// lie in a pod range count as O. Pure.
[[nodiscard]] ReachabilityRules reachability_rules(const Reachability& wanted, IpFamily family);

/// The first two addresses of each of `subnets` that lies in `range`, in as few matches as told above.
[[nodiscard]] std::vector<firewall::AddressMatch> own_addresses(const Cidr& range,
                                                                const std::vector<Cidr>& subnets);

/// Adds what the rules have met to `sums`. `counts` is of Firewall::read_counts() for the rules' set.
void add_counts(const ReachabilityRules& rules, const std::vector<std::vector<firewall::RuleCount>>& counts,
                PassageCounts& sums);

}  // namespace holdfast::gateway
