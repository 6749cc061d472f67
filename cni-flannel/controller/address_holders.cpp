#include "cni-flannel/controller/address_holders.h"

#include <utility>

namespace holdfast::flannel {
namespace {

std::vector<IpAddress> addresses_of(const NodeNetwork& network) {
  std::vector<IpAddress> out;
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    const std::optional<IpAddress>& address = network.public_address(family);
    if (address) out.push_back(*address);
  }
  return out;
}

}  // namespace

AddressHolders::AddressHolders(const NetworkSight& sight) {
  for (const auto& [name, object] : sight.objects) {
    if (!object.removed_at.empty() || !object.network.managed || !sight.nodes.contains(name)) continue;
    for (const IpAddress& address : addresses_of(object.network)) holders_[address].push_back(name);
  }
}

std::optional<AddressHolders::Shared> AddressHolders::shared(const std::string& node,
                                                             const NodeNetwork& network) const {
  for (const IpAddress& address : addresses_of(network)) {
    const auto found = holders_.find(address);
    if (found == holders_.end()) continue;
    std::vector<std::string> others = found->second;
    const bool is_holder = std::erase(others, node) != 0;
    if (is_holder && !others.empty()) return Shared{.address = address, .others = std::move(others)};
  }
  return std::nullopt;
}

}  // namespace holdfast::flannel
