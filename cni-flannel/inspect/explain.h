#pragma once

#include <string>

#include "cni-flannel/inspect/overlay_report.h"
#include "cni-flannel/inspect/pod_report.h"
#include "common/inspect/inspector.h"

namespace holdfast::flannel {

/// Of a node by its name, by an address of its pod range, or by its own address; ourselves too.
[[nodiscard]] Explanation explain_node(const OverlayReport& overlay, const std::string& subject);
/// Of a pod of this node by "namespace/name" or an address, also of one that is not there any more.
[[nodiscard]] Explanation explain_pod(const PodReport& report, const std::string& subject);

}  // namespace holdfast::flannel
