#pragma once

#include <string>
#include <vector>

#include "cni-flannel/ipam/binding.h"
#include "cni-flannel/ipam/sticky_ipam.h"
#include "common/base/cidr.h"

namespace holdfast::flannel {

/// How full the network is: of its range sets the one with the fewest addresses left. `in_use` (sorted) are
/// the addresses that have a file. A file counts as used, unless the log tells that its owner is of an
/// earlier boot.
[[nodiscard]] PoolUsage usage_of(const IpamConfig& config, const std::vector<IpAddress>& in_use,
                                 const std::vector<Binding>& bindings, const std::string& boot_id);

}  // namespace holdfast::flannel
