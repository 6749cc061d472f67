#pragma once

#include <cstdint>
#include <vector>

#include "cni-flannel/daemon/overlay_plan.h"
#include "common/netlink/monitor.h"

namespace holdfast::flannel {

/// Tells of an event in the kernel's tables whether it takes something away that is wanted, so that what we
/// do ourselves is not taken for somebody's interference.
class OverlayIndex {
 public:
  OverlayIndex() = default;
  OverlayIndex(OverlayLink link, std::vector<WantedPeer> wanted);

  [[nodiscard]] const OverlayLink& link() const { return link_; }
  /// In the order of their subnets.
  [[nodiscard]] const std::vector<WantedPeer>& peers() const { return peers_; }

  /// A wanted entry is gone, or is another than wanted. An entry that nobody wants contradicts nothing: it
  /// does no harm until the next look at all.
  [[nodiscard]] bool contradicted_by(const nl::RouteEvent& event) const;
  [[nodiscard]] bool contradicted_by(const nl::NeighbourEvent& event) const;
  [[nodiscard]] bool contradicted_by(const nl::FdbEvent& event) const;

 private:
  [[nodiscard]] const WantedPeer* by_subnet(const Cidr& subnet) const;
  [[nodiscard]] const WantedPeer* by_base(const IpAddress& base) const;
  [[nodiscard]] const WantedPeer* by_mac(const MacAddress& mac) const;

  OverlayLink link_;
  std::vector<WantedPeer> peers_;
  std::vector<std::uint32_t> by_mac_;  // indices into peers_, in the order of their MACs
};

/// A peer whose entries are to change; nullptr: it was not there, it is gone. Points into the two lists.
struct PeerDifference {
  const WantedPeer* before = nullptr;
  const WantedPeer* after = nullptr;
};

/// Both in the order of their subnets. What goes stands before what comes: a MAC may move from one to the
/// other. A peer that moves to another subnet is one that goes and one that comes.
[[nodiscard]] std::vector<PeerDifference> differences(const std::vector<WantedPeer>& before,
                                                      const std::vector<WantedPeer>& after);

}  // namespace holdfast::flannel
