#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/firewall/iptables_save.h"

namespace holdfast::firewall {

/// What in a table `filter` may keep UDP packets to one port of this machine from it.
struct UdpDrops {
  std::vector<std::string> always;     ///< rules that drop or reject all of them, as iptables-save has them
  std::vector<std::string> sometimes;  ///< those that ask for more: an interface, a source
  /// What no rule decides is dropped, and no rule names the port.
  bool by_default = false;
};

/// Of INPUT and the chains that it leads to. Looks at rules that name the port; a rule before them may decide
/// otherwise. Pure.
[[nodiscard]] UdpDrops udp_drops(const SavedTable& filter, std::uint16_t port);

}  // namespace holdfast::firewall
