#pragma once

#include <optional>
#include <string>

#include "cni-flannel/daemon/net_conf.h"
#include "cni-flannel/daemon/node_network.h"
#include "cni-flannel/daemon/underlay.h"

namespace holdfast::flannel {

/// What our own lease is made of.
struct LeaseParts {
  std::string node;
  const NodeNetwork* stored = nullptr;   ///< as it was last; nullptr: none
  const NodeNetwork* told = nullptr;     ///< what the source has of us; nullptr: nothing (yet)
  std::optional<MacAddress> device_mac;  ///< of the devices that are there
  std::optional<MacAddress> device_mac6;
  const Underlay* underlay = nullptr;  ///< nullptr: there is none now
  bool mac_is_anothers = false;        ///< flannel-controller says so of what is published
};

/// What this node is to its peers. Pod CIDRs are those told, or else as stored: a source that knows none yet
/// takes none away. VTEP MACs as choose_vtep_mac(), and those that are another's, derived. Public addresses:
/// the operator's overwrite, or that of the external interface (--public-ip stands in for it), or as stored.
/// The epoch grows when the pod CIDRs change.
[[nodiscard]] NodeNetwork own_lease(const NetConf& conf, const LeaseParts& parts);

/// Where the peers are told to send, if that is not where we receive (`own`); empty when it is.
[[nodiscard]] std::string address_fault(const NodeNetwork& told, const NodeNetwork& own);

/// A lease that the plugin can be told, and what is wrong with the one that the source tells.
struct UsableLease {
  std::optional<NodeNetwork> lease;  ///< unset: there is none
  std::string fault;                 ///< empty when all is well
};

/// own_lease(), but for pod CIDRs that cannot be used (subnet_file_of()): a mistake in the cloud takes no
/// lease away. Then it is the lease without them, so with the stored ones as long as these can be used.
[[nodiscard]] UsableLease usable_lease(const NetConf& conf, const LeaseParts& parts);

}  // namespace holdfast::flannel
