#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/netlink/route.h"
#include "common/netlink/socket.h"
#include "egw-gateway/inspect/gateway_report.h"

namespace holdfast::gateway {

/// Where the kernel itself would send a packet for an address, whatever rules and tables there are.
struct KernelWay {
  std::string sender;                             ///< "this node", "a pod here", "a packet with mark 0x64"
  std::optional<nl::Route> route = std::nullopt;  ///< as of nl::find_way(); unset: none
  std::string silence = {};                       ///< why the kernel does not tell; empty: it does

  bool operator==(const KernelWay&) const = default;
};

/// Of a packet that begins here, of one of a pod of this node, and of one with each mark that a rule of
/// somebody else's before ours looks at.
[[nodiscard]] std::vector<KernelWay> ask_kernel_ways(nl::Socket& socket, const GatewayReport& report,
                                                     const IpAddress& to);

}  // namespace holdfast::gateway
