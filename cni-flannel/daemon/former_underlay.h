#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/daemon/node_network.h"
#include "cni-flannel/daemon/underlay.h"
#include "common/base/cidr.h"

namespace holdfast::flannel {

/// By what the tunnels of the flannel ran that was on the node before us, where the default route would tell
/// otherwise: that flannel was given flags (--iface, --iface-regex, --iface-can-reach, --public-ip) that
/// nobody gave us. Stored, as the device that shows it is gone after a boot.
struct FormerUnderlay {
  std::string interface;                 ///< empty: nothing is known
  std::vector<IpAddress> addresses;      ///< that the devices sent from, one a family at most
  std::optional<IpAddress> public_ip;    ///< that peers were told, and that is no address of this machine
  std::optional<IpAddress> public_ipv6;  ///< the same

  bool operator==(const FormerUnderlay&) const = default;
};

/// What the devices that are there show. One counts when it has our VNI and the MAC that the source tells of
/// this node (`published`), or where that tells none, the address that peers send to: another cluster's does
/// not. The interface is the one below it (IFLA_VXLAN_LINK), or that which has its local address now; it must
/// have an address of each family in use. An overwrite of the public address is no flag's. nullopt: flags of
/// ours decide, no device counts, or the default route tells the same. Pure.
[[nodiscard]] std::optional<FormerUnderlay> find_former_underlay(const UnderlayChoice& choice,
                                                                 const UnderlayTables& tables,
                                                                 const NodeNetwork& published,
                                                                 std::uint32_t vni);

/// `choice` as if flags told what `former` says; as it is when its own flags decide, or nothing is known.
[[nodiscard]] UnderlayChoice with_former(UnderlayChoice choice, const FormerUnderlay& former);

}  // namespace holdfast::flannel
