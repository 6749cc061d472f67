#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"

namespace holdfast::gateway {

/// A value below /proc/sys that packets to and from the VPC need.
struct NodeSetting {
  std::string key;
  std::string value;
  bool optional = false;  ///< a kernel or a moment without it is no fault: its link is not there

  bool operator==(const NodeSetting&) const = default;
};

/// Of the links `bridge` and `overlay` (cni0, flannel.1):
///
///     net/ipv4/conf/LINK/rp_filter        2   loose: answers may come by the other gateway
///     net/ipv4/conf/all/send_redirects    0   (with a gateway on this node) pods would be told to go around
///     net/ipv4/conf/BRIDGE/send_redirects 0   the node to the gateway beside them, and keep to it when it
///                                             is dead
///     net/ipv4/ip_forward                 1
///
/// Of IPv6 nothing: its redirects are for link-local next hops, and forwarding is flanneld's.
/// Source: Documentation/networking/ip-sysctl.rst.
[[nodiscard]] std::vector<NodeSetting> node_settings(const std::string& bridge, const std::string& overlay,
                                                     bool has_gateway);

/// What was put right, "KEY: was 1, is 2". In the calling thread's network namespace. Errors: the first; the
/// others are set all the same.
Result<std::vector<std::string>> put_settings(const std::vector<NodeSetting>& settings);

}  // namespace holdfast::gateway
