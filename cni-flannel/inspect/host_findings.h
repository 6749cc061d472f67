#pragma once

#include <string>
#include <vector>

#include "cni-flannel/inspect/overlay_report.h"
#include "common/inspect/finding.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// What packets of pods go by, but the bridge.
struct HostScene {
  bool ipv4 = false;
  bool ipv6 = false;
  std::vector<std::string> links = {};  ///< of IPv4: the overlay's device, the external interface
};
[[nodiscard]] HostScene host_scene(const OverlayReport& overlay);

/// What the host does to packets between the tunnels and the pods: forwarding of the families in use,
/// reverse-path filters of the interfaces that packets of pods come by, and whether the CNI plugin's usual
/// bridge is up, if there is one. Before there is one, forwarding is doubtful: the first pod's ADD turns it
/// on.
[[nodiscard]] std::vector<Finding> host_findings(nl::Socket& socket, const HostScene& scene);

}  // namespace holdfast::flannel
