#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cni-flannel/daemon/forwarding.h"
#include "cni-flannel/daemon/wanted_peers.h"
#include "common/base/cidr.h"
#include "common/base/result.h"

/// What the kernel must hold for a peer with subnet S (base address B), VTEP MAC M and public address P:
///
///     neighbour  B lladdr M, permanent, on the device
///     fdb        M dst P, permanent, on the device
///     route      S via B on the device, onlink
///
/// and for one that is reached directly only: route S via P.
namespace holdfast::flannel {

/// Who made a route (RTPROT_*): lets us find the direct ones again. To readers of routes it means nothing.
inline constexpr std::uint8_t kOverlayRouteProtocol = 102;

/// The device of one family's overlay.
struct OverlayLink {
  int ifindex = 0;
  Cidr network;  ///< of the cluster: routes outside of it are not ours
};

/// Entries of the three tables.
struct ForwardingTables {
  std::vector<nl::Neighbour> neighbours;
  std::vector<nl::FdbEntry> fdb;
  std::vector<nl::Route> routes;
};

/// What stands above, for one peer.
[[nodiscard]] ForwardingTables entries_of(const OverlayLink& link, const WantedPeer& peer);

/// The changes in the order in which they are made. A packet on its way never meets a route whose neighbour
/// is missing: entries are made from neighbour to route and removed from route to neighbour, and what is
/// stale goes last.
struct OverlayPlan {
  struct PeerChange {
    std::size_t peer;  ///< index in what was wanted
    ForwardingChange change;
  };
  std::vector<ForwardingChange> stale_routes;
  std::vector<PeerChange> neighbours;
  std::vector<PeerChange> fdb;
  std::vector<PeerChange> routes;               ///< with the drop of one that the kernel would not replace
  std::vector<ForwardingChange> stale_entries;  ///< FDB, then neighbours

  [[nodiscard]] std::size_t size() const {
    return stale_routes.size() + neighbours.size() + fdb.size() + routes.size() + stale_entries.size();
  }
};

/// What must change to get from `actual` to `wanted`. Ours to remove is: every permanent neighbour and FDB
/// entry on the device; routes on the device of the form above inside the network, whoever made them; routes
/// of our protocol inside the network. All else stays. Pure; the order of `actual` is free.
[[nodiscard]] OverlayPlan plan_overlay(const OverlayLink& link, std::span<const WantedPeer> wanted,
                                       const ForwardingTables& actual);

struct ApplyReport {
  struct Failure {
    std::size_t peer;  ///< index in what was wanted
    Error error;       ///< the first of this peer
  };
  std::vector<Failure> failed;
  std::vector<Error> leftovers;  ///< stale entries that could not be removed
  std::size_t changed = 0;       ///< changes that succeeded
};

/// Makes the changes in few batches. A change that fails is tried once more by itself (one that fails with
/// EEXIST after removing what is in the way); one that fails again ends its peer's part only: what the
/// kernel had for it stays.
ApplyReport apply_overlay(Forwarding& kernel, const OverlayPlan& plan);

struct ReconcileReport {
  ApplyReport applied;
  /// Why the tables could not be read whole. Then all that is wanted was put, and nothing removed.
  std::optional<Error> unread;
};

/// What happens to entries of ours that nobody wants. They are kept until it is known who is wanted: before
/// the first whole list they may be those of peers that the store does not have.
enum class Strangers : std::uint8_t { kKeep, kRemove };

/// Reads the tables, plans and applies.
ReconcileReport reconcile_overlay(Forwarding& kernel, const OverlayLink& link,
                                  std::span<const WantedPeer> wanted,
                                  Strangers strangers = Strangers::kRemove);

/// One peer has changed from `before` to `after` (nullptr: it was not there, it is gone): no table is read,
/// and no entry of another peer is touched, as wanted peers share none.
ApplyReport change_peer(Forwarding& kernel, const OverlayLink& link, const WantedPeer* before,
                        const WantedPeer* after);

}  // namespace holdfast::flannel
