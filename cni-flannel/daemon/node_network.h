#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/mac_address.h"

namespace holdfast::flannel {

inline constexpr std::string_view kVxlanBackend = "vxlan";

/// One family's tunnel end: "backend data". Old writers leave the VNI out.
struct BackendData {
  std::optional<std::uint32_t> vni;
  MacAddress vtep_mac;

  bool operator==(const BackendData&) const = default;
};

/// What a node publishes for its peers, whether as annotations of its Node, as its NodeNetworkConfiguration
/// or in a file. Peers need of a family its pod CIDR, backend data and public address.
struct NodeNetwork {
  std::string node;             ///< name of the Node
  bool managed = true;          ///< flannel runs there (subnetKubeManaged)
  std::string backend_type;     ///< "vxlan"; nodes with another are not our peers
  std::vector<Cidr> pod_cidrs;  ///< host bits cleared, at most one a family
  std::optional<BackendData> backend_data;
  std::optional<BackendData> backend_v6_data;
  std::optional<IpAddress> public_ip;  ///< where peers send to
  std::optional<IpAddress> public_ipv6;
  std::optional<IpAddress> public_ip_overwrite;  ///< set by the operator; the node itself then publishes it
  std::optional<IpAddress> public_ipv6_overwrite;
  std::uint64_t lease_epoch = 0;  ///< grows with each new lease of the same node; 0 from who knows none

  bool operator==(const NodeNetwork&) const = default;

  /// nullptr when there is none.
  [[nodiscard]] const Cidr* pod_cidr(IpFamily family) const;
  [[nodiscard]] const std::optional<BackendData>& backend(IpFamily family) const;
  [[nodiscard]] const std::optional<IpAddress>& public_address(IpFamily family) const;
};

/// What to do about nodes that have published one public address.
inline constexpr const char* kSharedAddressCure =
    "give each node an address of its own, behind a NAT too, and delete the Node of a machine that is gone";

/// Checks and sets pod_cidrs: host bits are cleared. Errors: kInvalidArgument for a second one of a family.
Result<std::vector<Cidr>> checked_pod_cidrs(const std::vector<Cidr>& cidrs);

/// Not a loopback, multicast or reserved address, nor one of "this network".
/// Source: RFC 1122 section 3.2.1.3, RFC 1112 section 4, RFC 4291 section 2.
[[nodiscard]] bool is_host_address(const IpAddress& address);

/// What the kernel must know of one peer to send one family's pod traffic to it.
struct PeerEnd {
  Cidr subnet;  ///< host bits cleared
  MacAddress vtep_mac;
  IpAddress public_address;  ///< of the family that the tunnel runs over, which is that of the subnet

  bool operator==(const PeerEnd&) const = default;
};

/// The peer's end of `family`, or nullopt when it has no subnet of that family. Errors: kFailedPrecondition,
/// naming the node and what it has not published (yet), or published of the wrong family or as a MAC that no
/// device can have.
Result<std::optional<PeerEnd>> peer_end(const NodeNetwork& peer, IpFamily family);

}  // namespace holdfast::flannel
