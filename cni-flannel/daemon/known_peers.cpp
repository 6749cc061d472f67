#include "cni-flannel/daemon/known_peers.h"

#include <algorithm>
#include <utility>

namespace holdfast::flannel {

KnownPeers::KnownPeers(std::vector<NodeNetworkObject> stored) {
  for (NodeNetworkObject& node : stored) {
    if (!by_name_.contains(node.identity.name)) append(std::move(node));
  }
}

void KnownPeers::append(NodeNetworkObject node) {
  const std::string name = node.identity.name;
  nodes_.push_back(std::move(node));
  by_name_[name] = std::prev(nodes_.end());
}

std::vector<const NodeNetwork*> KnownPeers::networks() const {
  std::vector<const NodeNetwork*> out;
  out.reserve(nodes_.size());
  for (const NodeNetworkObject& node : nodes_) out.push_back(&node.network);
  return out;
}

const NodeNetworkObject* KnownPeers::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &*found->second;
}

bool KnownPeers::put(NodeNetworkObject node, Time now) {
  const auto known = by_name_.find(node.identity.name);
  if (!node.removed_at.empty()) {
    // what is removed and was never known is nothing to us
    return known != by_name_.end() && gone_since_.try_emplace(known->first, now).second;
  }
  const bool was_gone = gone_since_.erase(node.identity.name) != 0;
  if (known == by_name_.end()) {
    append(std::move(node));
    return true;
  }
  const bool changed = known->second->network != node.network;
  *known->second = std::move(node);
  if (changed) nodes_.splice(nodes_.end(), nodes_, known->second);
  return changed || was_gone;
}

void KnownPeers::gone(std::string_view name, std::string_view uid, Time now) {
  const NodeNetworkObject* known = find(name);
  if (known == nullptr || (!uid.empty() && !known->identity.uid.empty() && known->identity.uid != uid))
    return;
  gone_since_.try_emplace(std::string(name), now);
}

void KnownPeers::keep_only(const NodeNames& listed, Time now) {
  if (listed.empty()) return;
  for (const NodeNetworkObject& node : nodes_) {
    if (!listed.contains(node.identity.name)) gone_since_.try_emplace(node.identity.name, now);
  }
}

GoneFor KnownPeers::gone_for(Time now) const {
  GoneFor out;
  for (const auto& [name, since] : gone_since_) {
    out[name] = std::chrono::duration_cast<std::chrono::seconds>(now - since);
  }
  return out;
}

void KnownPeers::recall_gone(const GoneFor& gone, Time now) {
  for (const auto& [name, time] : gone) {
    if (by_name_.contains(name)) gone_since_.try_emplace(name, now - time);
  }
}

std::vector<std::string> KnownPeers::forget(Time now, Time delay) {
  std::vector<std::string> out;
  for (const auto& [name, since] : gone_since_) {
    if (now - since >= delay) out.push_back(name);
  }
  for (const std::string& name : out) {
    gone_since_.erase(name);
    const auto known = by_name_.find(name);
    nodes_.erase(known->second);
    by_name_.erase(known);
  }
  return out;
}

KnownPeers::Time KnownPeers::next_forget(Time delay) const {
  Time first = Time::max();
  for (const auto& [name, since] : gone_since_) first = std::min(first, since + delay);
  return first;
}

}  // namespace holdfast::flannel
