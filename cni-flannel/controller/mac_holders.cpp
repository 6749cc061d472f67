#include "cni-flannel/controller/mac_holders.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "cni-flannel/daemon/controller_conditions.h"

namespace holdfast::flannel {
namespace {

bool was_refused(const SeenObject& object) {
  const auto told = std::ranges::find(object.told, std::string(kMacUnique), &Condition::type);
  return told != object.told.end() && told->status == "False";
}

std::vector<MacAddress> macs_of(const NodeNetwork& network) {
  std::vector<MacAddress> out;
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    const std::optional<BackendData>& backend = network.backend(family);
    if (backend) out.push_back(backend->vtep_mac);
  }
  return out;
}

}  // namespace

MacHolders::MacHolders(const std::map<std::string, SeenObject>& objects) {
  std::vector<const std::pair<const std::string, SeenObject>*> first;
  for (const auto& each : objects) {
    if (each.second.removed_at.empty()) first.push_back(&each);
  }
  std::ranges::stable_sort(first, {}, [](const auto* each) {
    return std::pair<bool, const std::string&>(was_refused(each->second), each->second.created);
  });
  for (const auto* each : first) {
    for (const MacAddress& mac : macs_of(each->second.network)) holders_.try_emplace(mac, each->first);
  }
}

std::optional<MacHolders::Held> MacHolders::take(std::string_view node, const NodeNetwork& network) {
  for (const MacAddress& mac : macs_of(network)) {
    const auto [holder, is_new] = holders_.try_emplace(mac, node);
    if (!is_new && holder->second != node) return Held{.mac = mac, .node = holder->second};
  }
  return std::nullopt;
}

}  // namespace holdfast::flannel
