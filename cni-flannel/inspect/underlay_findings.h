#pragma once

#include <optional>
#include <vector>

#include "cni-flannel/inspect/daemon_run.h"
#include "cni-flannel/inspect/overlay_report.h"
#include "common/inspect/finding.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// Whether packets can leave: by the interface that the devices have below them; where there is no device, by
/// the one that flanneld would choose, as far as its flags are known.
[[nodiscard]] std::vector<Finding> underlay_findings(nl::Socket& socket, const OverlayReport& overlay,
                                                     const std::optional<DaemonRun>& daemon);

}  // namespace holdfast::flannel
