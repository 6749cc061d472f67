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
  /// Inside tunnels: the only ones of the cloud that this gateway itself listens to, and to their BFD alone.
  std::vector<IpAddress> access_points;

  bool operator==(const Reachability&) const = default;
};

/// What happens to a packet that is forwarded, or comes by a tunnel, and is counted apart.
enum class Passage : std::uint8_t {
  kPodToVpc,
  kVpcToPod,
  kPodToCloudPod,
  kCloudPodToPod,
  kErrorToPod,  ///< ICMP of a router beyond the tunnel, about a pod's packet
  kNodeToVpc,
  kNodeToCloudPod,
  kAnswerToNode,      ///< of a connection that a node began
  kRefusedToNode,     ///< from the cloud to a node: dropped, and the sender is told
  kRefusedToGateway,  ///< from the cloud to this gateway itself: dropped
  kDropped,           ///< anything else that is forwarded
};
inline constexpr std::size_t kPassages = static_cast<std::size_t>(Passage::kDropped) + 1;
/// "pod-to-vpc": a metric's label.
[[nodiscard]] std::string_view to_string(Passage passage);
using PassageCounts = std::array<firewall::RuleCount, kPassages>;

/// One family's rules, with the passage that each rule counts.
struct ReachabilityRules {
  firewall::RuleSet set;
  std::vector<std::vector<std::optional<Passage>>> passages;  ///< of the set's chains and their rules
};

/// In a namespace where nothing else is forwarded. "own" is what of the pod ranges is the nodes' own, "nodes"
/// their other addresses:
///
///     raw          liveness                               untrack
///                  edge from own, tunnel to own           return     connections of nodes are kept track of;
///                  edge from pods to cloud                untrack    pods' packets are judged one by one:
///                  tunnel from cloud to pods              untrack    they may come and go by different gateways
///     raw, own     liveness                               untrack
///     mangle       SYNs                                   clamp the MSS
///     input        edge, from own and nodes, their BFD    return
///                  edge, their BFD                        drop
///                  tunnel, from access points, BFD        accept
///                  tunnel, answers                        accept
///                  tunnel                                 drop
///     forward      tunnel to edge, answers to nodes       accept
///                  tunnel to own                          refuse
///                  edge to tunnel, from own to cloud      accept where there is a translation
///                  from own                               drop
///                  edge to tunnel, from pods to cloud     accept
///                  tunnel to edge, from cloud to pods     accept
///                  tunnel to edge, ICMP errors to pods    accept   routers may have addresses of no range;
///                                                                  the pod knows whether it sent the packet
///                  edge to tunnel, from nodes to cloud    accept where there is a translation
///                  tunnel to nodes                        refuse
///                  all                                    drop
///     postrouting  to tunnel, from own, from nodes        translate
///
/// Nodes' own addresses must be judged before the pods around them. Where all subnets of a pod range have one
/// size, that takes one rule: a mask matches the first two addresses of every subnet, also of nodes that are
/// not known. Otherwise it takes one rule a node. A pod range of which no node is known is left out: its pods
/// pass nowhere. Nodes' addresses that lie in a pod range count as own. Pure.
[[nodiscard]] ReachabilityRules reachability_rules(const Reachability& wanted, IpFamily family);

/// The first two addresses of each of `subnets` that lies in `range`: one match where they have one size,
/// else one each.
[[nodiscard]] std::vector<firewall::AddressMatch> own_addresses(const Cidr& range,
                                                                const std::vector<Cidr>& subnets);

/// Adds what the rules have met to `sums`. `counts` is of Firewall::read_counts() for the rules' set.
void add_counts(const ReachabilityRules& rules, const std::vector<std::vector<firewall::RuleCount>>& counts,
                PassageCounts& sums);

}  // namespace holdfast::gateway
