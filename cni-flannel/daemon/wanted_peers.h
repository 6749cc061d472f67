#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cni-flannel/daemon/node_network.h"
#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/route.h"

namespace holdfast::flannel {

/// Our own end of one family's overlay, by which peers are judged.
struct OwnEnd {
  std::string node;
  Cidr network;  ///< of the cluster
  PeerEnd end;   ///< our subnet, VTEP MAC and public address
  std::uint32_t vni = 1;

  [[nodiscard]] IpFamily family() const { return network.family(); }
};

/// A peer that the kernel is to know.
struct WantedPeer {
  std::string node;
  PeerEnd end;
  /// DirectRouting: the link on which its public address is reached without a gateway; 0: through VXLAN.
  int direct_link = 0;

  bool operator==(const WantedPeer&) const = default;
};

/// A peer that cannot or must not be programmed.
struct RejectedPeer {
  std::string node;
  std::string why;

  bool operator==(const RejectedPeer&) const = default;
};

/// A public address that several peers have: what is sent to them arrives at one machine.
struct SharedAddress {
  IpAddress address;
  std::vector<std::string> nodes;  ///< in the order of their names

  bool operator==(const SharedAddress&) const = default;
};

struct WantedPeers {
  std::vector<WantedPeer> peers;
  std::vector<RejectedPeer> rejected;
  std::vector<SharedAddress> shared;  ///< by peers, which are wanted all the same
};

/// Which of the published nodes the kernel is to know, in one family. Left out without a word: ourselves,
/// nodes that are not managed or have another backend, and nodes without subnet of this family. Rejected,
/// with the reason: what is not whole (peer_end), a subnet outside the cluster's network or overlapping ours,
/// our own VTEP MAC, another VNI.
///
/// `published` is in the order of the claims: a later node that claims the subnet (or a part of it) or the
/// VTEP MAC of an earlier one displaces it, because podCIDRs are given out again as soon as a Node is gone. A
/// node that is displaced itself displaces nobody. Two may have one public address: each has a MAC of its own
/// there, so that who claims another's address gets nothing of the other's.
[[nodiscard]] WantedPeers wanted_peers(const OwnEnd& own, std::span<const NodeNetwork* const> published);

/// The link on which `routes` (a main table) reach `address` without a gateway; 0 when they need one, or have
/// several ways, or none. `overlay_link` does not count.
[[nodiscard]] int direct_link(std::span<const nl::Route> routes, const IpAddress& address, int overlay_link);

/// Sets direct_link of each peer, by the routes of the underlay.
void route_directly(WantedPeers& wanted, std::span<const nl::Route> routes, int overlay_link);

}  // namespace holdfast::flannel
