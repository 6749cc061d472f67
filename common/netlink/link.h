#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/mac_address.h"
#include "common/netlink/request.h"
#include "common/netlink/socket.h"

namespace holdfast::nl {

/// RFC 2863 operational state. Source: linux/if.h, IF_OPER_*.
enum class OperState : std::uint8_t {
  kUnknown = 0,
  kNotPresent = 1,
  kDown = 2,
  kLowerLayerDown = 3,
  kTesting = 4,
  kDormant = 5,
  kUp = 6,
};

/// Spanning-tree state of a bridge port; a port forwards nothing before kForwarding.
/// Source: linux/if_bridge.h, BR_STATE_*.
enum class PortState : std::uint8_t {
  kDisabled = 0,
  kListening = 1,
  kLearning = 2,
  kForwarding = 3,
  kBlocking = 4
};

struct BridgePort {
  PortState state = PortState::kDisabled;
  bool hairpin = false;   ///< sends frames back out of the port they came in by
  bool isolated = false;  ///< exchanges frames with non-isolated ports only
  bool learning = true;
  bool flood = true;  ///< gets unicast frames of unknown destination

  bool operator==(const BridgePort&) const = default;
};

struct VxlanInfo {
  std::uint32_t vni = 0;
  std::optional<IpAddress> local = std::nullopt;
  int device = 0;          ///< index of the underlay link, 0 when none
  std::uint16_t port = 0;  ///< UDP destination port
  bool learning = true;
  bool gbp = false;  ///< group policy extension
  bool l2miss = false;

  bool operator==(const VxlanInfo&) const = default;
};

/// A network interface as RTM_NEWLINK tells it. Source: rtnetlink(7), linux/if_link.h.
struct Link {
  int index = 0;
  std::string name = {};
  std::optional<MacAddress> mac = std::nullopt;  ///< none for links without Ethernet addresses
  std::uint32_t mtu = 0;                         ///< bytes
  bool up = false;                               ///< IFF_UP, what was asked for
  bool lower_up = false;                         ///< IFF_LOWER_UP, carrier
  bool promiscuous = false;                      ///< IFF_PROMISC as set by hand, not by sniffers or bridges
  int master = 0;                                ///< index of the bridge it belongs to, 0 when none
  std::string kind = {};  ///< "veth", "bridge", "vxlan", ...; empty for hardware and lo
  std::string alias = {};
  int peer = 0;  ///< IFLA_LINK: veth's other end, vxlan's underlay device; 0 when none
  std::optional<int> peer_netnsid = std::nullopt;  ///< set when `peer` is an index of another namespace
  OperState oper_state = OperState::kUnknown;
  std::optional<BridgePort> port = std::nullopt;      ///< for ports of a bridge
  std::optional<VxlanInfo> vxlan = std::nullopt;      ///< for kind "vxlan"
  std::optional<bool> vlan_filtering = std::nullopt;  ///< for kind "bridge", when the kernel has it
};

/// Errors: kInvalidArgument for a name that has a fault (common/base/link_name.h).
Status check_link_name(std::string_view name);

/// One RTM_GETLINK by name or index, no dump. nullopt when there is no such link.
Result<std::optional<Link>> find_link(Socket& socket, std::string_view name);
Result<std::optional<Link>> find_link(Socket& socket, int index);

/// What a dump is narrowed to, in the kernel where it can.
struct LinkFilter {
  int master = 0;         ///< ports of this bridge; 0: all
  std::string kind = {};  ///< empty: all
};
Result<std::vector<Link>> list_links(Socket& socket, const LinkFilter& filter = {});

struct BridgeSpec {
  std::string name = {};
  std::optional<MacAddress> mac =
      std::nullopt;       ///< set: pinned, the bridge no longer follows its ports' lowest MAC
  std::uint32_t mtu = 0;  ///< 0: the kernel's default
  bool up = true;
  bool vlan_filtering = false;
};
/// Errors: kAlreadyExists when a link of that name is there, of whatever kind.
Result<Link> create_bridge(Socket& socket, const BridgeSpec& spec);

struct VethSpec {
  std::string name = {};
  std::optional<MacAddress> mac = std::nullopt;
  std::uint32_t mtu = 0;  ///< of both ends; 0: the kernel's default
  int master = 0;         ///< bridge to enslave the host end to; 0: none
  bool up = true;         ///< host end
  std::string alias = {};
  std::string peer_name = {};
  int peer_netns_fd = -1;  ///< namespace of the other end; -1: this one
  std::optional<MacAddress> peer_mac = std::nullopt;
};
/// One message: the peer appears in its namespace with its name, MAC and MTU, down; the host end is up and
/// enslaved. Both have one queue, as many as a veth uses. When a part of it is refused nothing stays behind.
/// Returns the host end; its `peer` and `port` may be not filled in yet. Errors: kAlreadyExists when either
/// name is taken.
Result<Link> create_veth(Socket& socket, const VethSpec& spec);

struct VxlanSpec {
  std::string name = {};
  std::optional<MacAddress> mac = std::nullopt;
  std::uint32_t mtu = 0;
  VxlanInfo info;
  bool up = false;
};
/// Errors: kAlreadyExists when a link of that name is there.
Result<Link> create_vxlan(Socket& socket, const VxlanSpec& spec);

/// Down, without addresses, keys or peers. Errors: kAlreadyExists when a link of that name is there;
/// kUnimplemented from a kernel without WireGuard.
Result<Link> create_wireguard(Socket& socket, std::string_view name);

/// What is set is changed, the rest is left alone.
struct LinkChange {
  std::optional<bool> up = std::nullopt;
  std::optional<std::uint32_t> mtu = std::nullopt;
  std::optional<MacAddress> mac = std::nullopt;
  std::optional<std::string> name = std::nullopt;
  std::optional<std::string> alias = std::nullopt;
  std::optional<int> master = std::nullopt;  ///< 0: out of its bridge
  std::optional<bool> promiscuous = std::nullopt;
  std::optional<bool> arp_notify =
      std::nullopt;  ///< net.ipv4.conf.<link>.arp_notify: gratuitous ARP when the link comes up
};
Request change_link(int index, const LinkChange& change);

/// Whether a VXLAN device learns remote ends from what it receives.
Request set_vxlan_learning(int index, bool on);

struct BridgePortChange {
  std::optional<bool> hairpin = std::nullopt;
  std::optional<bool> isolated = std::nullopt;
  std::optional<bool> learning = std::nullopt;
  std::optional<bool> flood = std::nullopt;
};
/// For links that are ports of a bridge.
Request change_bridge_port(int index, const BridgePortChange& change);
/// Whether VLAN tags count. Errors: kUnimplemented from a kernel without CONFIG_BRIDGE_VLAN_FILTERING.
Request set_vlan_filtering(int bridge_index, bool on);

/// VLANs first..last (1..4094) of a bridge port or of the bridge itself.
struct BridgeVlan {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  bool pvid = false;      ///< untagged frames that come in belong to it; one VLAN only
  bool untagged = false;  ///< frames go out without a tag

  bool operator==(const BridgeVlan&) const = default;
};
enum class VlanTarget : std::uint8_t { kPort, kBridgeItself };
Request put_bridge_vlan(int index, const BridgeVlan& vlan, VlanTarget target = VlanTarget::kPort);
/// Dropping one that is not there succeeds.
Request drop_bridge_vlan(int index, const BridgeVlan& vlan, VlanTarget target = VlanTarget::kPort);
/// In ascending order; ranges as the kernel compressed them.
Result<std::vector<BridgeVlan>> list_bridge_vlans(Socket& socket, int index);

/// Deleting a link that is not there succeeds. One end of a veth takes the other with it.
Request delete_link(int index);
Request delete_link(std::string_view name);

}  // namespace holdfast::nl
