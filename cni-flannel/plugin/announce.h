#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/netlink/mac_address.h"

namespace holdfast::flannel {

/// The Ethernet frame that tells neighbours "`address` is at `mac`": a gratuitous ARP request for IPv4 (RFC
/// 5227, section 3, "ARP Announcement"), an unsolicited neighbour advertisement to all nodes with the
/// override flag for IPv6 (RFC 4861, section 7.2.6).
[[nodiscard]] std::vector<std::uint8_t> announcement(const MacAddress& mac, const IpAddress& address);

/// A packet socket of the calling thread's network namespace that receives nothing. Errors: those of
/// socket(2).
Result<Fd> open_packet_socket();

/// Sends one announcement for each address out of link `ifindex` of the socket's namespace.
/// Errors: those of sendto(2).
Status announce(const Fd& packet_socket, int ifindex, const MacAddress& mac,
                std::span<const IpAddress> addresses);

}  // namespace holdfast::flannel
