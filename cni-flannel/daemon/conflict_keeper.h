#pragma once

#include <span>
#include <string>
#include <vector>

#include "cni-flannel/daemon/address_conflicts.h"
#include "cni-flannel/daemon/conditions.h"
#include "cni-flannel/daemon/overlay_keeper.h"
#include "common/base/metrics.h"
#include "common/netlink/monitor.h"

namespace holdfast::flannel {

/// Code of the error with which flanneld does not join a cluster whose pod network the node's own address or
/// gateway is in. No other error of run_flanneld() has it.
inline constexpr Code kAddressesExclude = Code::kOutOfRange;

/// Tells of ranges that overlap, as condition CidrConflict and in flanneld_cidr_conflicts, and refuses to
/// join when the overlay would cut the node off. A node that has joined is never stopped: its pods run.
class ConflictKeeper {
 public:
  /// `conditions` and `conflicts` outlive it. Of `plan` what does not change.
  ConflictKeeper(Conditions& conditions, Gauge& conflicts, AddressPlan plan, bool accept);

  /// Whether look() may find something else after an event of the kernel.
  [[nodiscard]] static bool concerned_by(const nl::Event& event);
  /// Asked before anything is done for the overlay. Errors: kAddressesExclude, with ranges, interface and
  /// cure.
  [[nodiscard]] Status may_join(const OverlayKeeper& overlay) const;
  /// As all is now.
  void look(const NodeNetwork& own, std::span<const NodeNetwork* const> nodes, const OverlayKeeper& overlay);

 private:
  [[nodiscard]] AddressPlan plan_for(const OverlayKeeper& overlay) const;

  Conditions& conditions_;
  Gauge& conflicts_;
  AddressPlan plan_;
  bool accept_;
};

}  // namespace holdfast::flannel
