#include "cni-flannel/inspect/conflict_findings.h"

#include <algorithm>
#include <string>

#include "cni-flannel/daemon/address_conflicts.h"

namespace holdfast::flannel {
namespace {

constexpr const char* kWhat = "address conflicts";

/// As the VXLAN devices have it.
void take_uplink(const UnderlayTables& tables, AddressPlan& plan) {
  for (const std::string& name : plan.devices) {
    const auto device = std::ranges::find(tables.links, name, &nl::Link::name);
    if (device == tables.links.end() || !device->vxlan) continue;
    plan.uplink = device->vxlan->device;
    if (device->vxlan->local) plan.locals.push_back(*device->vxlan->local);
  }
}

}  // namespace

std::vector<Finding> conflict_findings(nl::Socket& socket, const OverlayReport& overlay,
                                       const std::vector<Cidr>& services) {
  const Result<UnderlayTables> tables = read_underlay_tables(socket);
  if (!tables) return {{Verdict::kWrong, kWhat, tables.error().message}};
  AddressPlan plan = address_plan(overlay.conf, services, "");
  plan.node = overlay.own->node;
  plan.pod_cidrs = overlay.own->pod_cidrs;
  std::vector<const NodeNetwork*> peers;
  for (const NodeNetwork& node : overlay.nodes) peers.push_back(&node);
  plan.peers = peers;
  take_uplink(*tables, plan);
  std::vector<Finding> out;
  for (const AddressConflict& conflict : find_address_conflicts(plan, *tables)) {
    const Verdict verdict = conflict.harm == Harm::kDoubtful ? Verdict::kDoubtful : Verdict::kWrong;
    out.push_back({verdict, kWhat, conflict.message});
  }
  if (out.empty()) out.push_back({Verdict::kWell, kWhat, "none"});
  return out;
}

}  // namespace holdfast::flannel
