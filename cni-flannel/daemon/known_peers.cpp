#include "cni-flannel/daemon/known_peers.h"

#include <algorithm>
#include <set>
#include <utility>

namespace holdfast::flannel {

KnownPeers::KnownPeers(std::vector<NodeNetworkObject> stored) : nodes_(std::move(stored)) {}

const NodeNetworkObject* KnownPeers::find(std::string_view name) const {
  const auto found =
      std::ranges::find_if(nodes_, [name](const auto& node) { return node.identity.name == name; });
  return found == nodes_.end() ? nullptr : &*found;
}

void KnownPeers::put(NodeNetworkObject node, Time now) {
  const std::string name = node.identity.name;
  const auto known =
      std::ranges::find_if(nodes_, [&](const auto& other) { return other.identity.name == name; });
  if (!node.removed_at.empty()) {
    // what is removed and was never known is nothing to us
    if (known != nodes_.end()) gone_since_.try_emplace(name, now);
    return;
  }
  gone_since_.erase(name);
  if (known == nodes_.end()) {
    nodes_.push_back(std::move(node));
  } else if (known->network == node.network) {
    *known = std::move(node);
  } else {
    nodes_.erase(known);
    nodes_.push_back(std::move(node));
  }
}

void KnownPeers::gone(std::string_view name, std::string_view uid, Time now) {
  const NodeNetworkObject* known = find(name);
  if (known == nullptr || (!uid.empty() && !known->identity.uid.empty() && known->identity.uid != uid))
    return;
  gone_since_.try_emplace(std::string(name), now);
}

void KnownPeers::list(std::vector<NodeNetworkObject> nodes, bool whole, Time now) {
  std::set<std::string, std::less<>> listed;
  for (NodeNetworkObject& node : nodes) {
    listed.insert(node.identity.name);
    put(std::move(node), now);
  }
  if (!whole || listed.empty()) return;
  for (const NodeNetworkObject& node : nodes_) {
    if (!listed.contains(node.identity.name)) gone_since_.try_emplace(node.identity.name, now);
  }
}

std::vector<std::string> KnownPeers::forget(Time now, Time delay) {
  std::vector<std::string> out;
  for (const auto& [name, since] : gone_since_) {
    if (now - since >= delay) out.push_back(name);
  }
  for (const std::string& name : out) {
    gone_since_.erase(name);
    std::erase_if(nodes_, [&](const auto& node) { return node.identity.name == name; });
  }
  return out;
}

KnownPeers::Time KnownPeers::next_forget(Time delay) const {
  Time first = Time::max();
  for (const auto& [name, since] : gone_since_) first = std::min(first, since + delay);
  return first;
}

}  // namespace holdfast::flannel
