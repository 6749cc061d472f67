#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "cni-flannel/controller/network_sight.h"
#include "common/netlink/mac_address.h"

namespace holdfast::flannel {

/// Which node has which VTEP MAC. Of two that have the same, who was refused it stays so; else who was there
/// first has it. Refers to the objects.
class MacHolders {
 public:
  explicit MacHolders(const std::map<std::string, SeenObject>& objects);

  struct Held {
    MacAddress mac{};
    std::string_view node{};
  };
  /// A MAC of `network` that another node has; nullopt: all of them are `node`'s now. `node` outlives this.
  [[nodiscard]] std::optional<Held> take(std::string_view node, const NodeNetwork& network);

 private:
  std::map<MacAddress, std::string_view> holders_;
};

}  // namespace holdfast::flannel
