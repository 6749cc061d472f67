#pragma once

#include <string>
#include <vector>

#include "cni-flannel/daemon/node_network_object.h"
#include "cni-flannel/daemon/wanted_peers.h"

namespace holdfast::flannel::test {

inline IpAddress ip(const std::string& text) { return IpAddress::parse(text).value(); }
inline Cidr cidr(const std::string& text) { return Cidr::parse(text).value(); }

/// A node as a source tells of it, with the pod CIDR 10.244.<subnet>.0/24 and nothing else.
inline NodeNetworkObject node(const std::string& name, int subnet = 1) {
  NodeNetworkObject out;
  out.identity = {name, "uid-" + name, "", 0};
  out.network.node = name;
  out.network.pod_cidrs = {cidr("10.244." + std::to_string(subnet) + ".0/24")};
  return out;
}
inline MacAddress mac(const std::string& text) { return MacAddress::parse(text).value(); }

inline std::vector<const NodeNetwork*> pointers(const std::vector<NodeNetwork>& nodes) {
  std::vector<const NodeNetwork*> out;
  for (const NodeNetwork& node : nodes) out.push_back(&node);
  return out;
}

/// Peer number `n` (below 65,536) of a cluster 10.0.0.0/8, or of fd00::/16 in IPv6.
inline WantedPeer numbered_peer(unsigned n, IpFamily family = IpFamily::kV4) {
  const auto high = static_cast<std::uint8_t>(n >> 8U);
  const auto low = static_cast<std::uint8_t>(n);
  WantedPeer out;
  out.node = "node-" + std::to_string(n);
  out.end.vtep_mac = MacAddress({0x66, 0, 0, 0, high, low});
  if (family == IpFamily::kV4) {
    out.end.subnet = Cidr::make(IpAddress::v4({10, high, low, 0}), 24).value();
    out.end.public_address = IpAddress::v4({192, 168, high, low});
  } else {
    out.end.subnet = Cidr::make(IpAddress::v6({0xfd, 0, high, low}), 64).value();
    out.end.public_address = IpAddress::v6({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, high, low});
  }
  return out;
}

inline std::vector<WantedPeer> numbered_peers(unsigned count, IpFamily family = IpFamily::kV4) {
  std::vector<WantedPeer> out;
  for (unsigned n = 1; n <= count; ++n) out.push_back(numbered_peer(n, family));
  return out;
}

}  // namespace holdfast::flannel::test
