#pragma once

#include <string>
#include <vector>

#include "cni-flannel/plugin/bridge_conf.h"
#include "cni-flannel/plugin/cni_result.h"
#include "common/base/cidr.h"
#include "common/netlink/link.h"
#include "common/netlink/route.h"

namespace holdfast::flannel {

/// What ADD's result means to the kernel: ADD makes it so, and CHECK looks whether it is.

/// The pod's addresses, with their subnets' prefixes.
[[nodiscard]] std::vector<Cidr> addresses_in(const cni::AddResult& result);

/// The addresses of the bridge; none when it is no gateway.
[[nodiscard]] std::vector<Cidr> gateway_cidrs(const BridgeConf& conf, const cni::AddResult& result);

/// As a result tells it; "" when the link has none.
[[nodiscard]] std::string mac_text(const nl::Link& link);

/// A route of the pod. One without gateway goes by the first address' gateway of its family, unless its scope
/// is the link.
[[nodiscard]] nl::Route to_route(const cni::Route& route, const cni::AddResult& result);

}  // namespace holdfast::flannel
