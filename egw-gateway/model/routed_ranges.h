#pragma once

#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "egw-gateway/model/edge_gateway.h"

namespace holdfast::gateway {

/// `range` without what `taken` covers of it: as few blocks as there can be, in order.
[[nodiscard]] std::vector<Cidr> without(const Cidr& range, const Cidr& taken);

/// What never goes through a tunnel, whatever a pool's ranges say.
struct Exemption {
  Cidr range;
  std::string what{};     ///< "link-local addresses", for people
  bool expected = false;  ///< whether it is no fault when ranges overlap with it
  /// A range that lies in it whole is routed all the same, and told: it is not ours who names it.
  bool yields = false;

  bool operator==(const Exemption&) const = default;
};

/// Those of every node: 169.254.0.0/16 and fe80::/10 (link-local, metadata services), 198.18.0.0/15 (edge
/// tunnels' own addresses), loopback, multicast, the access points' addresses (the tunnels' outer packets),
/// the nodes' addresses (the overlay's outer packets), and the pool's own pods, whose routes are the
/// overlay's, and exemptCIDRs.
[[nodiscard]] std::vector<Exemption> exemptions(const EdgeGateway& gateway);

/// What is wrong with ranges that fall into so many blocks, and the cure; empty: kMostBlocks at most.
[[nodiscard]] std::string trouble_with_blocks(std::size_t blocks);

/// What a node routes to the gateways.
struct RoutedRanges {
  std::vector<Cidr> ranges{};         ///< disjoint, in order
  std::vector<std::string> faults{};  ///< "10.0.0.0/8 overlaps the pool's own pods, 10.244.0.0/16"

  bool operator==(const RoutedRanges&) const = default;
};

/// vpcCIDRs and cloudPodCIDRs without what is exempt. A range that overlaps with it keeps its rest, and is
/// told unless that was to be expected: what works goes on working. One that is the same block as something
/// that yields comes as its two halves, as of routes the more special one counts. Pure.
[[nodiscard]] RoutedRanges routed_ranges(const EdgeGateway& gateway,
                                         const std::vector<Exemption>& exemptions);

}  // namespace holdfast::gateway
