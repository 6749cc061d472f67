#pragma once

#include <optional>
#include <vector>

#include "cni-flannel/daemon/net_conf.h"
#include "cni-flannel/daemon/node_network.h"
#include "cni-flannel/daemon/options.h"
#include "cni-flannel/daemon/rules_keeper.h"

namespace holdfast::flannel {

/// The rules of this node by what it is told: net-conf.json, flags, its lease, the ranges of gateways and the
/// peers. Of a family without pool or pod CIDR nothing is to stay. Pure.
[[nodiscard]] RulesWanted rules_wanted(const NetConf& conf, const Options& options, const NodeNetwork& own,
                                       const std::vector<Cidr>& no_masquerade,
                                       const std::optional<PeerGuard>& guard);

}  // namespace holdfast::flannel
