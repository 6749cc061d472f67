#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/netlink/address.h"
#include "common/netlink/route.h"
#include "common/netlink/rule.h"
#include "egw-gateway/model/edge_gateway.h"
#include "egw-gateway/model/routed_ranges.h"

/// The routes by which a node's packets find a gateway:
///
///     rule 10157    iif flannel.1 lookup 20157     what other nodes send
///     table 20157   RANGE via POD ADDRESS dev cni0 metric 37     to the gateway on this node, or nowhere:
///                   unreachable RANGE metric 1000000             never out by flannel.1 again
///     rule 10158    lookup 20158                   all else
///     table 20158   RANGE via OVERLAY ADDRESS OF ITS NODE dev flannel.1 onlink metric 37    the live gateway,
///                   RANGE via ITS POD ADDRESS dev cni0 metric 37                            when it is here
///                   unreachable RANGE metric 1000000                                        always
///     table main    unreachable RANGE metric 1000000         should somebody take the second rule away
///
/// The rules come before the table main, so that no route there counts, whoever wrote it; what is exempt has
/// no route in the tables above, and is found in main. All bear kRouteProtocol.
namespace holdfast::gateway {

/// Links of flanneld and of the CNI plugin.
struct LinkNames {
  std::string overlay = "flannel.1";
  std::string overlay_v6 = "flannel-v6.1";
  std::string bridge = "cni0";

  [[nodiscard]] const std::string& overlay_of(IpFamily family) const {
    return family == IpFamily::kV4 ? overlay : overlay_v6;
  }
};

/// What the kernel has.
struct NodeFacts {
  std::map<std::string, int> links{};    ///< indices of those of LinkNames that are there
  std::vector<nl::Address> addresses{};  ///< of all links
  std::vector<nl::Route> routes{};       ///< of the tables main, kTransitTable and kRangesTable
  std::vector<nl::Rule> rules{};         ///< that bear kRouteProtocol

  /// 0 when it is not there.
  [[nodiscard]] int link(const std::string& name) const;
  /// The first of a link.
  [[nodiscard]] std::optional<IpAddress> address_of(int ifindex, IpFamily family) const;
};

/// Where packets for a gateway's pod go next.
struct NextHop {
  int ifindex = 0;
  IpAddress gateway{};
  bool onlink = false;
  bool local = false;  ///< the pod is on this node

  bool operator==(const NextHop&) const = default;
};
using NextHops = std::map<IpFamily, NextHop>;

/// As the node's own routes lead to `pod`, when they lead through the bridge or the overlay: over any other
/// link packets for the VPC would leave the node in clear, or come in where nobody keeps them from going
/// round in circles.
[[nodiscard]] std::optional<NextHop> way_to(const IpAddress& pod, const NodeFacts& facts,
                                            const LinkNames& names);
/// To each of its pod addresses.
[[nodiscard]] NextHops ways_to(const Gateway& gateway, const NodeFacts& facts, const LinkNames& names);

/// The networks of the node's own links, by their addresses and by the kernel's routes: parts of ranges that
/// stay the node's. Who names them is the site's DHCP server, so they yield: no network may hold a whole
/// range, and open it.
[[nodiscard]] std::vector<Exemption> own_networks(const NodeFacts& facts, const LinkNames& names);

/// All that stays off the gateways on this node: of every node, and `exempt`, API servers and own_networks().
[[nodiscard]] std::vector<Exemption> node_exemptions(const EdgeGateway& gateway,
                                                     const std::vector<Cidr>& exempt,
                                                     const std::vector<IpAddress>& servers,
                                                     const NodeFacts& facts, const LinkNames& names);
/// Routes of others in the table main for all or a part of one of `ranges`, which count for nothing. They are
/// somebody's mistake, or somebody's try to have packets for the VPC sent to him.
[[nodiscard]] std::vector<nl::Route> routes_passed_over(const std::vector<Cidr>& ranges,
                                                        const NodeFacts& facts);
/// Whether packets of a family look into kRangesTable before they look into main.
[[nodiscard]] bool ranges_come_first(const NodeFacts& facts, IpFamily family);

/// To the gateway whose pod is on this node; empty: there is none.
[[nodiscard]] NextHops local_ways(const std::vector<Gateway>& gateways, const NodeFacts& facts,
                                  const LinkNames& names);

/// What the kernel is to have.
struct RoutesWanted {
  std::vector<nl::Route> routes{};  ///< in the order in which they are to be put: what refuses comes first
  std::vector<nl::Rule> rules{};

  bool operator==(const RoutesWanted&) const = default;
};
/// Ranges that are routed, without those parts that stay on a node's own routes.
struct NodeRanges {
  std::vector<Cidr> own{};    ///< for what begins on this node
  std::vector<Cidr> other{};  ///< for what other nodes send: nothing that this node alone exempts is theirs

  bool operator==(const NodeRanges&) const = default;
};
/// Pure.
[[nodiscard]] NodeRanges node_ranges(const EdgeGateway& gateway, const RoutedRanges& own);

/// `active`: the ways to the gateway in use; `local`: those to the gateway on this node. Pure.
[[nodiscard]] RoutesWanted routes_wanted(const NodeRanges& ranges, const NextHops& active,
                                         const NextHops& local, const LinkNames& names);

/// What is to be done, in this order.
struct RouteChanges {
  std::vector<nl::Route> puts{};  ///< replace what has their destination, table and metric
  std::vector<nl::Rule> rule_puts{};
  std::vector<nl::Rule> rule_drops{};
  std::vector<nl::Route> drops{};

  [[nodiscard]] bool empty() const {
    return puts.empty() && rule_puts.empty() && rule_drops.empty() && drops.empty();
  }
};
/// From what is there to what is wanted. Touches only what bears kRouteProtocol, wherever it was put. Pure.
[[nodiscard]] RouteChanges plan_routes(const RoutesWanted& wanted, const NodeFacts& facts);

/// The name of the gateway to which routes of ours lead; empty: none. For a program that begins anew.
[[nodiscard]] std::string gateway_in_use(const std::vector<Gateway>& gateways, const NodeFacts& facts,
                                         const LinkNames& names);

}  // namespace holdfast::gateway
