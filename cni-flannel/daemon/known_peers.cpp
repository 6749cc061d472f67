#include "cni-flannel/daemon/known_peers.h"

#include <algorithm>
#include <utility>

namespace holdfast::flannel {
namespace {

bool has_mac(const NodeNetwork& network, IpFamily family, const MacAddress& mac) {
  const std::optional<BackendData>& backend = network.backend(family);
  return backend && backend->vtep_mac == mac;
}

}  // namespace

KnownPeers::KnownPeers(std::vector<NodeNetworkObject> stored) {
  for (NodeNetworkObject& node : stored) {
    const std::string name = node.identity.name;
    if (!by_name_.contains(name)) by_name_[name] = nodes_.insert(nodes_.end(), std::move(node));
  }
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

KnownPeers::Nodes::const_iterator KnownPeers::place_of(const NodeNetwork& network,
                                                       Nodes::const_iterator known) const {
  bool was_last = known != nodes_.end();  // of the two, and so had what both have
  for (auto other = nodes_.begin(); other != nodes_.end(); ++other) {
    if (other == known) {
      was_last = false;
      continue;
    }
    for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
      const std::optional<BackendData>& claim = network.backend(family);
      if (!claim || !has_mac(other->network, family, claim->vtep_mac)) continue;
      if (was_last && has_mac(known->network, family, claim->vtep_mac)) continue;
      if (!gone_since_.contains(other->identity.name)) return other;
    }
  }
  return nodes_.end();
}

bool KnownPeers::leave(Nodes::iterator node, Time since) {
  if (!gone_since_.try_emplace(node->identity.name, since).second) return false;
  nodes_.splice(nodes_.begin(), nodes_, node);
  return true;
}

bool KnownPeers::put(NodeNetworkObject node, Time now) {
  const auto known = by_name_.find(node.identity.name);
  if (!node.removed_at.empty()) {
    // what is removed and was never known is nothing to us
    return known != by_name_.end() && leave(known->second, now);
  }
  const bool was_gone = gone_since_.erase(node.identity.name) != 0;
  if (known == by_name_.end()) {
    const std::string name = node.identity.name;
    const auto place = place_of(node.network, nodes_.end());
    by_name_[name] = nodes_.insert(place, std::move(node));
    return true;
  }
  const bool news = known->second->network != node.network || was_gone;
  if (news) nodes_.splice(place_of(node.network, known->second), nodes_, known->second);
  *known->second = std::move(node);
  return news;
}

void KnownPeers::gone(std::string_view name, std::string_view uid, Time now) {
  const auto known = by_name_.find(name);
  if (known == by_name_.end()) return;
  const std::string& ours = known->second->identity.uid;
  if (uid.empty() || ours.empty() || ours == uid) leave(known->second, now);
}

void KnownPeers::keep_only(const NodeNames& listed, Time now) {
  if (listed.empty()) return;
  for (const auto& [name, node] : by_name_) {
    if (!listed.contains(name)) leave(node, now);
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
    const auto known = by_name_.find(name);
    if (known != by_name_.end()) leave(known->second, now - time);
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
