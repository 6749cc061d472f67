#include "cni-flannel/controller/machine_sights.h"

#include <algorithm>

namespace holdfast::flannel {

std::map<std::string, std::chrono::seconds> MachineSights::look_at(
    const std::map<std::string, SeenNode>& nodes, Time now) {
  std::map<std::string, std::chrono::seconds> out;
  std::erase_if(seen_, [&](const auto& each) { return !nodes.contains(each.first); });
  for (const auto& [name, node] : nodes) {
    Sight& sight = seen_[name];
    if (sight.uid != node.id.uid) sight = {.uid = node.id.uid, .boots = {}};
    if (!node.boot_id.empty()) take_in(node.boot_id, now, sight);
    const bool contested = sight.returns >= kReturns && now - sight.last_return < kSettles;
    if (contested) out[name] = std::chrono::ceil<std::chrono::seconds>(sight.last_return + kSettles - now);
  }
  return out;
}

void MachineSights::take_in(const std::string& boot, Time now, Sight& sight) {
  if (!sight.boots.empty() && sight.boots.back() == boot) return;
  if (std::erase(sight.boots, boot) != 0) {
    if (now - sight.last_return >= kSettles) sight.returns = 0;
    ++sight.returns;
    sight.last_return = now;
  }
  sight.boots.push_back(boot);
  if (sight.boots.size() > kBoots) sight.boots.erase(sight.boots.begin());
}

}  // namespace holdfast::flannel
