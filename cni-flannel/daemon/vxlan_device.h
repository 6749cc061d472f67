#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/daemon/net_conf.h"
#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/link.h"
#include "common/netlink/mac_address.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// flannel.<VNI>, or flannel-v6.<VNI> in IPv6. Errors: none; a VNI of 24 bits leaves a valid name.
[[nodiscard]] std::string vxlan_device_name(IpFamily family, std::uint32_t vni);

/// The devices of both families, and the CNI plugin's usual bridge.
[[nodiscard]] std::vector<std::string> overlay_links(std::uint32_t vni);

/// How one family's device is to be.
struct VxlanDeviceSpec {
  VxlanConf conf;         ///< VNI, port, GBP, learning
  std::uint32_t mtu = 0;  ///< of the device; less where the external interface does not take as much
  MacAddress mac;
  int underlay = 0;  ///< index of the external interface
  IpAddress local;   ///< its address that the tunnel sends from
  Cidr subnet;       ///< our pod CIDR; its family is the device's
  Cidr network;      ///< of the cluster
};

struct VxlanDevice {
  nl::Link link;
  bool created = false;  ///< else one that was there is used
  /// Neighbours and routes on it are gone, or may be: it is new, or its MAC was set, or it came up. The
  /// kernel drops permanent neighbours with a change of MAC and routes with the link going down.
  bool emptied = false;
  std::string replaced;  ///< why the one that was there could not be used; empty when there was none
  std::optional<MacAddress> corrected;  ///< the MAC that the one that was there had, if it was another
};

/// Makes the device be as told: one that is there is used if type, VNI, external interface, local address,
/// port, GBP and l2miss agree, else it is deleted and made anew. MAC, MTU and learning of one that is used
/// are set, and it is taken out of a bridge. Then: accept_ra off, address <subnet base>/32 (/128), no other
/// address of the cluster's network (IPv6: none but link-local), up. Repeating it changes nothing and loses
/// no packet.
///
/// To be called in the network namespace of `socket`. Errors: the kernel's; kAborted when the device has
/// another MAC in the end than was set, because someone else sets it too.
Result<VxlanDevice> ensure_vxlan_device(nl::Socket& socket, const VxlanDeviceSpec& spec);

/// Why `link` cannot serve as `spec`; empty when it can.
[[nodiscard]] std::string vxlan_mismatch(const nl::Link& link, const VxlanDeviceSpec& spec);

}  // namespace holdfast::flannel
