#pragma once

#include <vector>

#include "cni-flannel/inspect/overlay_report.h"
#include "common/inspect/finding.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// A finding for each conflict that flanneld would tell of (daemon/address_conflicts.h), or one that there is
/// none. The external interface is taken from the devices that are there.
[[nodiscard]] std::vector<Finding> conflict_findings(nl::Socket& socket, const OverlayReport& overlay,
                                                     const std::vector<Cidr>& services);

}  // namespace holdfast::flannel
