#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/wireguard/key.h"
#include "egw-gateway/bfd/session.h"
#include "egw-gateway/core/reachability.h"
#include "egw-gateway/model/edge_gateway.h"
#include "egw-gateway/tunnel/tunnel_keeper.h"

namespace holdfast::gateway {

/// Of links that are tunnels of a gateway.
inline constexpr const char* kTunnelPrefix = "wg-";

/// What a gateway knows of itself, beside its pool's object.
struct CoreSelf {
  std::string name;  ///< "a"
  wireguard::SecretKey private_key;
  std::string edge_link = "eth0";        ///< towards the pool
  std::uint32_t edge_mtu = 0;            ///< of that link, bytes
  std::uint32_t tunnel_mtu = 0;          ///< bytes; 0: what fits `edge_mtu`, and 1500
  std::vector<Cidr> edge_networks = {};  ///< on that link
};

/// An access point as this gateway reaches it.
struct AccessTarget {
  std::string name{};
  std::string link{};  ///< of its tunnel
  int priority = 0;
  IpAddress local{};  ///< both ends inside the tunnel
  IpAddress peer{};
  bfd::Timers timers{};

  bool operator==(const AccessTarget&) const = default;
};

/// What a gateway is to do.
struct CorePlan {
  Reachability reachability{};
  std::vector<Tunnel> tunnels{};
  std::vector<AccessTarget> access{};  ///< one a tunnel, in their order
  std::vector<Cidr> ranges{};          ///< what goes to the cloud: disjoint, in order
  std::vector<IpAddress> own{};        ///< to which nodes speak
  bfd::Timers node_timers{};
  bool signs = false;                 ///< liveness of nodes is to be authenticated
  std::vector<std::string> faults{};  ///< with the cure; what they do not concern is planned all the same
};
/// Where no subnet of a node is told in a pod range, those of this node's own link stand for all: they have
/// one size as a rule. Pure.
[[nodiscard]] CorePlan plan_core(const EdgeGateway& pool, const CoreSelf& self);

/// Whether an address is a node's own and no pod's: one of its networks', or the first or second of a subnet.
[[nodiscard]] bool is_nodes_own(const Reachability& reachability, const IpAddress& address);

/// Whether the access points are told the public half of this key; also when they are told none.
[[nodiscard]] bool is_known_key(const EdgeGateway& pool, const std::string& gateway,
                                const wireguard::PublicKey& key);

}  // namespace holdfast::gateway
