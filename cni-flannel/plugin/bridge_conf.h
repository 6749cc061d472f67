#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cni-flannel/ipam/sticky_ipam.h"
#include "cni-flannel/plugin/cni_error.h"
#include "cni-flannel/plugin/cni_result.h"
#include "cni-flannel/plugin/environment.h"
#include "cni-flannel/plugin/flannel_conf.h"
#include "cni-flannel/plugin/json_part.h"
#include "common/base/cidr.h"
#include "common/netlink/mac_address.h"

namespace holdfast::flannel {

enum class MasqueradeBackend : std::uint8_t { kDefault, kIptables, kNftables };

/// Both ends included; one id is {id, id}.
struct VlanRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  bool operator==(const VlanRange&) const = default;
};

/// A delegate configuration of type bridge.
struct BridgeConf {
  std::string bridge = "cni0";
  bool is_gateway = false;  ///< isGateway, or isDefaultGateway, which implies it
  bool is_default_gateway = false;
  bool force_address = false;
  bool ip_masq = false;
  MasqueradeBackend ip_masq_backend = MasqueradeBackend::kDefault;
  std::uint32_t mtu = 0;  ///< bytes; 0: the bridge's own
  bool hairpin_mode = false;
  bool promisc_mode = false;  ///< never with hairpin_mode
  std::uint16_t vlan = 0;     ///< 0: none
  std::vector<VlanRange> vlan_trunk;
  bool preserve_default_vlan = true;
  bool mac_spoof_check = false;  ///< macspoofchk
  bool enable_dad = false;       ///< enabledad
  bool disable_container_interface = false;
  bool port_isolation = false;
  /// What was asked for: runtimeConfig.mac, else args.cni.mac, else MAC of CNI_ARGS. Unicast.
  std::optional<MacAddress> mac;
  std::optional<cni::Dns> dns;  ///< takes the place of what the IPAM says
};

/// Errors: kInvalidConfig, naming the field and the value: a wrong type, a bridge name that is no interface
/// name, hairpinMode with promiscMode, a VLAN outside 1..4094, vlan with vlanTrunk, a trunk entry with one of
/// minID and maxID or the wrong way round, disableContainerInterface with an ipam, a MAC that is none or a
/// group's, an MTU that is neither 0 nor 68..65535, a back end that is none of ours, a malformed dns.
[[nodiscard]] cni::CniResult<BridgeConf> parse_bridge_conf(const cni::JsonPart& delegate,
                                                           const cni::CniArgs& args);

/// A delegate configuration's ipam of type host-local.
struct HostLocalConf {
  IpamConfig ipam;
  std::vector<cni::Route> routes;
  std::optional<std::filesystem::path> resolv_conf;  ///< resolvConf: its content becomes the result's dns
  /// CNI_ARGS IP, then args.cni.ips, then runtimeConfig.ips: one a range set is asked for. Each is inside
  /// some range set's subnet or not: StickyIpam refuses.
  std::vector<IpAddress> requested;
};

/// Ranges: runtimeConfig.ipRanges, then the single range in ipam itself (subnet, rangeStart, rangeEnd,
/// gateway), then ipam.ranges, each a set that gives one address. Defaults: first = base + 1, last = the last
/// of the subnet (IPv4: one less, for the broadcast address), gateway = base + 1. Errors: kInvalidConfig,
/// naming the field and the value: no ranges, an empty set, a subnet with host bits set or too small (longer
/// than /30 or /126), first or last outside it or the wrong way round, families mixed in a set, ranges of a
/// set that overlap, sets that overlap, more than one set of a family before 0.3.0, a bad route, address or
/// path.
[[nodiscard]] cni::CniResult<HostLocalConf> parse_host_local_conf(const cni::JsonPart& delegate,
                                                                  const cni::CniArgs& args,
                                                                  const OwnConf& own);

/// nameserver, domain, search and options of a resolv.conf(5); other lines and comments are skipped. Of
/// domain and search the last line counts, options add up.
[[nodiscard]] cni::Dns parse_resolv_conf(std::string_view text);

}  // namespace holdfast::flannel
