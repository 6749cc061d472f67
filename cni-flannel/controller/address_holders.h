#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/controller/network_sight.h"
#include "common/base/cidr.h"

namespace holdfast::flannel {

/// Which nodes have published which public address, to tell all of those that share one: none of them is
/// known to be the wrong one.
class AddressHolders {
 public:
  explicit AddressHolders(const NetworkSight& sight);

  struct Shared {
    IpAddress address{};
    std::vector<std::string> others{};  ///< in the order of their names
  };
  /// The first public address of the node's that others have published, too; nullopt: there is none, or peers
  /// do not send to this node.
  [[nodiscard]] std::optional<Shared> shared(const std::string& node, const NodeNetwork& network) const;

 private:
  std::map<IpAddress, std::vector<std::string>> holders_;
};

}  // namespace holdfast::flannel
