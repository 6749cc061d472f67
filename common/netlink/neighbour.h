#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/mac_address.h"
#include "common/netlink/request.h"
#include "common/netlink/socket.h"

namespace holdfast::nl {

/// Source: linux/neighbour.h, NUD_*.
enum class NeighbourState : std::uint16_t {
  kNone = 0,
  kIncomplete = 0x01,
  kReachable = 0x02,
  kStale = 0x04,
  kDelay = 0x08,
  kProbe = 0x10,
  kFailed = 0x20,
  kNoArp = 0x40,
  kPermanent = 0x80,
};

/// An ARP or neighbour-discovery entry.
struct Neighbour {
  int ifindex = 0;
  IpAddress address;
  MacAddress mac;
  NeighbourState state = NeighbourState::kPermanent;

  auto operator<=>(const Neighbour&) const = default;
  bool operator==(const Neighbour&) const = default;
};
/// `ifindex` 0: all links. Multicast and other no-ARP entries are left out.
Result<std::vector<Neighbour>> list_neighbours(Socket& socket, int ifindex = 0,
                                               std::optional<IpFamily> family = std::nullopt);
/// Replaces the entry for the same address.
Request put_neighbour(const Neighbour& neighbour);
/// Only link and address count. Dropping one that is not there succeeds.
Request drop_neighbour(const Neighbour& neighbour);

/// A forwarding-database entry: of a VXLAN device (`dst` set, kept by the device itself) or of a bridge.
struct FdbEntry {
  int ifindex = 0;
  MacAddress mac;
  std::optional<IpAddress> dst = std::nullopt;  ///< VXLAN: remote end of the tunnel
  bool master = false;     ///< kept by the bridge that the link belongs to, not by the link itself
  std::uint16_t vlan = 0;  ///< 0: none
  NeighbourState state = NeighbourState::kPermanent;

  auto operator<=>(const FdbEntry&) const = default;
  bool operator==(const FdbEntry&) const = default;
};
/// `ifindex` 0: all links.
Result<std::vector<FdbEntry>> list_fdb(Socket& socket, int ifindex = 0);
/// Replaces the entry for the same MAC (and VLAN): a MAC has one remote end. The all-zero MAC, which VXLAN
/// floods to, may have many: each put adds one.
Request put_fdb(const FdbEntry& entry);
/// Dropping one that is not there succeeds.
Request drop_fdb(const FdbEntry& entry);

}  // namespace holdfast::nl
