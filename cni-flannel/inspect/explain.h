#pragma once

#include <string>

#include "cni-flannel/inspect/overlay_report.h"
#include "cni-flannel/inspect/pod_report.h"
#include "common/inspect/inspector.h"

namespace holdfast::flannel {

/// Of a node by its name, by an address of its pod range, or by its own address; ourselves too.
[[nodiscard]] Explanation explain_node(const OverlayReport& overlay, const std::string& subject);
/// The line that says of an address of this node that nobody has it.
[[nodiscard]] std::string no_pod_has(const std::string& address);
/// Of a pod of this node by "namespace/name" or an address, also of one that is not there any more.
[[nodiscard]] Explanation explain_pod(const PodReport& report, const std::string& subject);

}  // namespace holdfast::flannel
