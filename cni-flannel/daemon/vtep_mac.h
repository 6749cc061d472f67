#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/mac_address.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// 66 and the first five bytes of SHA-1 of the node's name, with "-v6" behind it for the IPv6 device. The
/// same as Calico's, so that a node that comes from there keeps its MAC.
[[nodiscard]] MacAddress derived_vtep_mac(std::string_view node, IpFamily family);

/// What is known of a node's VTEP MAC; anything may be absent.
struct VtepMacSources {
  std::optional<MacAddress> stored;     ///< in our own state
  std::optional<MacAddress> published;  ///< for this node, at the API server
  std::optional<MacAddress> device;     ///< of the device that is there
};

/// The first of these that a device can have, else the derived one. A live device comes before what is
/// derived, as it is what the peers know of a node that upstream's flanneld ran until now.
[[nodiscard]] MacAddress choose_vtep_mac(const VtepMacSources& sources, std::string_view node,
                                         IpFamily family);

/// The MAC of a VXLAN device of that name, if there is one.
Result<std::optional<MacAddress>> device_vtep_mac(nl::Socket& socket, const std::string& device);

}  // namespace holdfast::flannel
