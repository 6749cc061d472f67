#pragma once

#include <string>
#include <string_view>

#include "cni-flannel/ipam/sticky_ipam.h"
#include "common/base/cidr.h"
#include "common/netlink/mac_address.h"

namespace holdfast::flannel {

/// Name of the host end of an attachment's veth pair: "veth" and 11 hexadecimal digits of SHA-512 over
/// network, container id and interface name. Being derived and not random, it lets DEL, CHECK and GC find the
/// link with no state at all, and tells a stale link of an earlier sandbox from a live one. 44 bits: two
/// attachments of one node do not meet in practice; if they did, creating the link fails with EEXIST and
/// nothing is overwritten.
[[nodiscard]] std::string host_link_name(const Attachment& attachment);

/// The alias of that link, for people who read `ip link`: "<network>/<container id>/<ifname>", cut to the
/// kernel's 255 bytes (IFALIASZ - 1).
[[nodiscard]] std::string host_link_alias(const Attachment& attachment);

/// MAC address of an interface whose first address is `address`: 0a:58 and the four bytes of the IPv4
/// address, or 0a:5a and the last four bytes of the IPv6 address. Both prefixes are locally administered and
/// unicast; unique on a bridge because addresses are. So a pod that keeps its address keeps its MAC, and
/// neighbours need not learn anew.
[[nodiscard]] MacAddress mac_for(const IpAddress& address);

}  // namespace holdfast::flannel
