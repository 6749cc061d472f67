#pragma once

#include <vector>

#include "cni-flannel/inspect/overlay_report.h"
#include "common/inspect/finding.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// What the host does to packets between the tunnels and the pods: forwarding of the families in use,
/// reverse-path filters of the interfaces that packets of pods come by, and whether the CNI plugin's usual
/// bridge is up, if there is one.
[[nodiscard]] std::vector<Finding> host_findings(nl::Socket& socket, const OverlayReport& overlay);

}  // namespace holdfast::flannel
