#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/cidr.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// UDP destination port when the configuration names none: the Linux kernel's own default, not IANA's 4789.
inline constexpr std::uint16_t kDefaultVxlanPort = 8472;
/// Bytes that VXLAN adds to a packet. The same for both families, as upstream counts them.
inline constexpr std::uint32_t kVxlanOverhead = 50;

/// Where the nodes' subnets of one family come from. Unset members were not given.
struct AddressPool {
  Cidr network;  ///< host bits cleared
  std::optional<unsigned> subnet_len;
  std::optional<IpAddress> subnet_min;
  std::optional<IpAddress> subnet_max;
};

/// How a pool is cut into subnets.
struct SubnetPlan {
  unsigned subnet_len = 0;
  IpAddress first;  ///< base address of the first subnet that is given out
  IpAddress last;   ///< base address of the last
};

struct VxlanConf {
  std::uint32_t vni = 1;                   ///< the devices are flannel.<VNI> and flannel-v6.<VNI>
  std::uint16_t port = kDefaultVxlanPort;  ///< UDP destination port
  std::uint32_t mtu = 0;                   ///< bytes, before encapsulation; 0: the external interface's
  bool gbp = false;                        ///< group policy extension
  bool learning = false;
  bool direct_routing = false;
};

/// net-conf.json, what an operator tells every node's flanneld. Keys match in any case, unknown ones are
/// skipped, null is absent. Default path: /etc/kube-flannel/net-conf.json.
struct NetConf {
  bool nftables = false;            ///< EnableNFTables
  std::optional<AddressPool> ipv4;  ///< unset with EnableIPv4 false
  std::optional<AddressPool> ipv6;  ///< unset without EnableIPv6
  VxlanConf vxlan;                  ///< Backend
};

/// Sizes and bounds of the pools are not checked here, as upstream does not check them either when nodes get
/// their subnets from Kubernetes: subnet_plan does. Windows' MacPrefix and Name are accepted and ignored.
/// Errors: kInvalidArgument, naming the key and the value; kUnimplemented for a backend other than vxlan, and
/// for no backend, which to upstream means udp.
[[nodiscard]] Result<NetConf> parse_net_conf(std::string_view text);

/// The subnets of a pool, defaults filled in: length 24 (IPv6: 64), or prefix + 2 of a network longer than
/// /22 (/62); from the second subnet to the last.
/// Errors: kInvalidArgument for a network that is too small to be cut (longer than /28, /124), a length
/// outside prefix + 2..30 (126), and bounds that are outside the network or not a subnet's base address.
[[nodiscard]] Result<SubnetPlan> subnet_plan(const AddressPool& pool);

/// MTU of the device and of the pods: that of the external interface, or of `conf` if that is less, without
/// the overhead. Errors: kInvalidArgument when less is left than IPv6 (1280) or IPv4 (68) must have.
[[nodiscard]] Result<std::uint32_t> overlay_mtu(const NetConf& conf, std::uint32_t interface_mtu);

}  // namespace holdfast::flannel
