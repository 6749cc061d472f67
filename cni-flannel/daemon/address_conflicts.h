#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cni-flannel/daemon/net_conf.h"
#include "cni-flannel/daemon/node_network.h"
#include "cni-flannel/daemon/underlay.h"
#include "common/base/cidr.h"

namespace holdfast::flannel {

/// What a conflict does, the lesser first.
enum class Harm : std::uint8_t {
  kDoubtful,     ///< nothing, while nobody uses the addresses that both have
  kUnreachable,  ///< some hosts, pods or services cannot be reached
  /// The node's own address or gateway is in the pods' range: the node loses its way to its peers and to the
  /// cloud as soon as a node is given the range that it is in.
  kCutsOff,
};

/// Two ranges that must not overlap and do.
struct AddressConflict {
  Harm harm = Harm::kDoubtful;
  Cidr ours;            ///< of the cluster: the pods', this node's, the services'
  Cidr other;           ///< what it overlaps
  std::string message;  ///< both ranges, where the other one is, what follows and the cure

  bool operator==(const AddressConflict&) const = default;
};

/// The ranges of the cluster, and what there is to be held against them.
struct AddressPlan {
  std::string node;             ///< our name; of the peers, that one is ourselves
  std::vector<Cidr> networks;   ///< of all pods, at most one a family
  std::vector<Cidr> pod_cidrs;  ///< this node's
  std::vector<Cidr> services;
  std::optional<IpAddress> api_server;  ///< as pods are told it
  std::vector<std::string> devices;     ///< the overlay's own, with their addresses and routes
  int uplink = 0;                       ///< index of the external interface; 0: not known
  std::vector<IpAddress> locals;        ///< the addresses of it that the tunnels send from
  std::span<const NodeNetwork* const> peers = {};
};

/// All conflicts, the worst first. Looked at: the services' ranges; the API server; the networks of all
/// interfaces; the routes of the main table; ranges that are special everywhere (link-local, where on an edge
/// node a local API cache answers at 169.254.2.1 and a tunnel proxy at 169.254.20.11; 198.18.0.0/15, where
/// managed clusters have their API server; loopback and multicast); pod CIDRs and public addresses of the
/// peers.
///
/// No conflict are the overlay's own devices and routes, the links and routes of this node's pods (those of
/// virtual links inside its pod CIDR), host routes of service addresses (kube-proxy's in IPVS mode,
/// node-local DNS), and routes to a peer's pods by its public address (upstream's, DirectRouting). Pure.
[[nodiscard]] std::vector<AddressConflict> find_address_conflicts(const AddressPlan& plan,
                                                                  const UnderlayTables& tables);

/// The message of the first and how many more there are; empty when there is none.
[[nodiscard]] std::string summary(std::span<const AddressConflict> conflicts);

/// The ranges that `conf` and `services` (--service-cidr) tell, and the names of the devices. `api_host`, as
/// the environment's KUBERNETES_SERVICE_HOST, may be empty or a name.
[[nodiscard]] AddressPlan address_plan(const NetConf& conf, std::vector<Cidr> services,
                                       const std::string& api_host);

}  // namespace holdfast::flannel
