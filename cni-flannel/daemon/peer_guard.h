#pragma once

#include <cstdint>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// From whom VXLAN packets are taken. Without it anybody on the underlay can send frames into pods: a VXLAN
/// device does not look at who sends.
struct PeerGuard {
  std::uint16_t port = 0;        ///< UDP port of the tunnels
  std::vector<IpAddress> peers;  ///< of both families, in order, each once

  bool operator==(const PeerGuard&) const = default;
};

/// Keeps the guard in nf_tables, whatever kind the other rules are of, in a table of its own; what it drops
/// is dropped whatever other tables say:
///
///     table inet flanneld-peers
///       set peers4, set peers6
///       chain input { type filter hook input priority -10
///         udp dport PORT ip saddr != @peers4 counter drop
///         udp dport PORT ip6 saddr != @peers6 counter drop }
///
/// One transaction: no packet of a peer that stays is dropped. `socket` is one of Protocol::kNetfilter.
/// Errors: kUnimplemented and others of a kernel without nf_tables.
Status put_peer_guard(nl::Socket& socket, const PeerGuard& guard);
/// Whether it stands as it was put.
Result<bool> peer_guard_is_whole(nl::Socket& socket, const PeerGuard& guard);
/// Nothing there succeeds, and a kernel without nf_tables too.
Status remove_peer_guard(nl::Socket& socket);

}  // namespace holdfast::flannel
