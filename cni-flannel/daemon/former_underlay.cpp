#include "cni-flannel/daemon/former_underlay.h"

#include <algorithm>
#include <utility>

#include "cni-flannel/daemon/vxlan_device.h"

namespace holdfast::flannel {
namespace {

bool has_address(const UnderlayTables& tables, const nl::Link& link, const IpAddress& wanted) {
  return std::ranges::any_of(tables.addresses, [&](const nl::Address& address) {
    return address.ifindex == link.index && address.cidr.address() == wanted;
  });
}

bool is_of_this_machine(const UnderlayTables& tables, const IpAddress& wanted) {
  return std::ranges::any_of(tables.links,
                             [&](const nl::Link& link) { return has_address(tables, link, wanted); });
}

bool is_of_this_node(const nl::Link& device, const NodeNetwork& published, IpFamily family) {
  const std::optional<BackendData>& backend = published.backend(family);
  if (backend) return device.mac == backend->vtep_mac;
  return device.vxlan->local && device.vxlan->local == published.public_address(family);
}

/// nullptr: it is not there, or is somebody else's.
const nl::Link* former_device(const UnderlayTables& tables, const NodeNetwork& published, IpFamily family,
                              std::uint32_t vni) {
  const std::string name = vxlan_device_name(family, vni);
  const auto found = std::ranges::find_if(tables.links, [&](const nl::Link& link) {
    return link.name == name && link.vxlan && link.vxlan->vni == vni &&
           is_of_this_node(link, published, family);
  });
  return found == tables.links.end() ? nullptr : &*found;
}

/// The link that `device` sends by. One that has become a port of a bridge has lost its address to that.
const nl::Link* link_below(const UnderlayChoice& choice, const UnderlayTables& tables,
                           const nl::Link& device) {
  const std::optional<IpAddress>& local = device.vxlan->local;
  const nl::Link* told = nullptr;
  const nl::Link* sender = nullptr;
  for (const nl::Link& link : tables.links) {
    if (std::ranges::find(choice.own_links, link.name) != choice.own_links.end()) continue;
    // an index of another network namespace tells nothing here
    if (link.index == device.vxlan->device && !device.peer_netnsid) told = &link;
    if (sender == nullptr && local && has_address(tables, link, *local)) sender = &link;
  }
  const bool told_sends = told != nullptr && local && has_address(tables, *told, *local);
  return told_sends || sender == nullptr ? told : sender;
}

/// What a flag had peers told in place of `local`: an address of a router before this node.
std::optional<IpAddress> address_elsewhere(const UnderlayTables& tables, const NodeNetwork& published,
                                           IpFamily family) {
  const auto& overwrite =
      family == IpFamily::kV4 ? published.public_ip_overwrite : published.public_ipv6_overwrite;
  const std::optional<IpAddress>& told = published.public_address(family);
  return overwrite || !told || is_of_this_machine(tables, *told) ? std::nullopt : told;
}

void take_family(FormerUnderlay& out, const UnderlayChoice& choice, const UnderlayTables& tables,
                 const NodeNetwork& published, const nl::Link& device, IpFamily family) {
  const nl::Link* below = link_below(choice, tables, device);
  if (below == nullptr || (!out.interface.empty() && out.interface != below->name)) return;
  out.interface = below->name;
  const std::optional<IpAddress>& local = device.vxlan->local;
  // one that is gone was told to the peers too, by whoever ran then
  if (!local || !has_address(tables, *below, *local)) return;
  out.addresses.push_back(*local);
  (family == IpFamily::kV4 ? out.public_ip : out.public_ipv6) = address_elsewhere(tables, published, family);
}

bool tell_the_same(const Underlay& a, const Underlay& b) {
  return a.link.index == b.link.index && a.local == b.local && a.local6 == b.local6 &&
         a.public_ip == b.public_ip && a.public_ipv6 == b.public_ipv6;
}

}  // namespace

std::optional<FormerUnderlay> find_former_underlay(const UnderlayChoice& choice, const UnderlayTables& tables,
                                                   const NodeNetwork& published, std::uint32_t vni) {
  if (choice.is_told()) return std::nullopt;
  FormerUnderlay out;
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    if (!(family == IpFamily::kV4 ? choice.ipv4 : choice.ipv6)) continue;
    const nl::Link* device = former_device(tables, published, family, vni);
    if (device != nullptr) take_family(out, choice, tables, published, *device, family);
  }
  if (out.interface.empty()) return std::nullopt;
  const Result<Underlay> former = choose_underlay(with_former(choice, out), tables);
  const Result<Underlay> usual = choose_underlay(choice, tables);
  if (!former || (usual && tell_the_same(*former, *usual))) return std::nullopt;
  return out;
}

UnderlayChoice with_former(UnderlayChoice choice, const FormerUnderlay& former) {
  if (choice.is_told() || former.interface.empty()) return choice;
  choice.interfaces = {former.interface};
  choice.interfaces_flag = "of the flannel that was here; tell another by --iface";
  choice.addresses = former.addresses;
  choice.public_ip = former.public_ip;
  choice.public_ipv6 = former.public_ipv6;
  return choice;
}

}  // namespace holdfast::flannel
