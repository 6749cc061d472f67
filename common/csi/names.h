#pragma once

#include <string>
#include <string_view>

#include "common/base/flags.h"

namespace holdfast::csi {

/// Letters, digits, '-' and '.', a letter or digit at both ends, at most 63: it is a folder's name below
/// kubelet's and ours. Source: CSI specification, GetPluginInfoResponse.name.
[[nodiscard]] bool is_driver_name(std::string_view text);
/// The same characters and '_', at most 63: what a label of Kubernetes may have as its value, and so a node's
/// topology. Source: CSI specification, Topology.
[[nodiscard]] bool is_topology_value(std::string_view text);

/// Takes what is_driver_name().
[[nodiscard]] Flags::Set to_driver_name(std::string& target);
/// Takes a node's name: a domain of the characters of is_topology_value(), and "", which tells nothing.
[[nodiscard]] Flags::Set to_node_name(std::string& target);

}  // namespace holdfast::csi
