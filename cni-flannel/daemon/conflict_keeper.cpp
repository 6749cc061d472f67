#include "cni-flannel/daemon/conflict_keeper.h"

#include <utility>
#include <variant>

#include "cni-flannel/daemon/overlay_plan.h"

namespace holdfast::flannel {

ConflictKeeper::ConflictKeeper(Conditions& conditions, Gauge& conflicts, AddressPlan plan, bool accept)
    : conditions_(conditions), conflicts_(conflicts), plan_(std::move(plan)), accept_(accept) {}

bool ConflictKeeper::concerned_by(const nl::Event& event) {
  if (const auto* address = std::get_if<nl::AddressEvent>(&event)) {
    return address->address.scope == nl::Scope::kUniverse;
  }
  const auto* route = std::get_if<nl::RouteEvent>(&event);
  return route != nullptr && route->route.table == nl::kMainTable &&
         route->route.protocol != kOverlayRouteProtocol;
}

AddressPlan ConflictKeeper::plan_for(const OverlayKeeper& overlay) const {
  AddressPlan plan = plan_;
  const Underlay* underlay = overlay.underlay();
  if (underlay == nullptr) return plan;
  plan.uplink = underlay->link.index;
  for (const auto& local : {underlay->local, underlay->local6}) {
    if (local) plan.locals.push_back(*local);
  }
  return plan;
}

Status ConflictKeeper::may_join(const OverlayKeeper& overlay) const {
  const auto conflicts = find_address_conflicts(plan_for(overlay), overlay.tables());
  if (accept_ || conflicts.empty() || conflicts.front().harm != Harm::kCutsOff) return {};
  return fail(kAddressesExclude,
              conflicts.front().message + "; to join all the same: --accept-cidr-conflicts");
}

void ConflictKeeper::look(const NodeNetwork& own, std::span<const NodeNetwork* const> nodes,
                          const OverlayKeeper& overlay) {
  AddressPlan plan = plan_for(overlay);
  plan.pod_cidrs = own.pod_cidrs;
  plan.peers = nodes;
  const auto conflicts = find_address_conflicts(plan, overlay.tables());
  conflicts_.set(static_cast<double>(conflicts.size()));
  conditions_.set(kCidrConflict, "RangesOverlap", summary(conflicts));
}

}  // namespace holdfast::flannel
