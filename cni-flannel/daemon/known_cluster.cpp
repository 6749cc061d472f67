#include "cni-flannel/daemon/known_cluster.h"

#include <algorithm>
#include <utility>

namespace holdfast::flannel {

void KnownCluster::recall(OverlayState stored, Time now) {
  cluster_id_ = std::move(stored.cluster_id);
  lease_ = std::move(stored.own);
  nodes_ = KnownPeers(std::move(stored.peers));
  nodes_.recall_gone(stored.gone, now);
  peers_known_ = !nodes_.nodes().empty();
  position_ = std::move(stored.resource_version);
  crd_seen_ = stored.crd_seen;
}

OverlayState KnownCluster::state(Time now) const {
  OverlayState out;
  out.cluster_id = cluster_id_;
  out.own = lease_;
  out.peers = {nodes_.nodes().begin(), nodes_.nodes().end()};
  out.resource_version = position_;
  out.crd_seen = crd_seen_;
  out.gone = nodes_.gone_for(now);
  return out;
}

KnownCluster::Todo KnownCluster::cluster(const std::string& id) {
  if (id == cluster_id_) return {};
  if (!cluster_id_.empty()) {
    KnownCluster fresh(node_, delay_);
    fresh.reached_at_ = reached_at_;
    *this = std::move(fresh);
  }
  cluster_id_ = id;
  return {.store = true};
}

KnownCluster::Todo KnownCluster::upsert(NodeNetworkObject node, Time now) {
  const bool ours = node.identity.name == node_;
  const bool news = nodes_.put(std::move(node), now);
  return {.store = news, .peers = news, .all = news && ours};
}

KnownCluster::Todo KnownCluster::removed(const std::string& name, const std::string& uid, Time now) {
  const std::size_t before = nodes_.gone_count();
  nodes_.gone(name, uid, now);
  const bool news = nodes_.gone_count() != before;
  return {.store = news, .peers = news};
}

KnownCluster::Todo KnownCluster::listed(const NodeNames& names, Time now) {
  const std::size_t before = nodes_.gone_count();
  nodes_.keep_only(names, now);
  const bool first = !listed_at_;
  if (!names.empty()) {
    listed_at_ = now;
    peers_known_ = true;
  }
  const bool news = nodes_.gone_count() != before;
  return {.store = news, .peers = news, .all = first};
}

KnownCluster::Todo KnownCluster::crd_seen() {
  crd_seen_ = true;
  return {.store = true};
}

void KnownCluster::reached(Time now) {
  if (!reached_at_) reached_at_ = now;
}

KnownCluster::Time KnownCluster::next_forget() const {
  const Time due = nodes_.next_forget(delay_);
  if (due == Time::max() || !reached_at_) return Time::max();
  return std::max<Time>(due, *reached_at_ + std::min<Time>(delay_, kListens));
}

std::vector<std::string> KnownCluster::forget(Time now) {
  return now < next_forget() ? std::vector<std::string>() : nodes_.forget(now, delay_);
}

KnownCluster::Todo KnownCluster::use_lease(std::optional<NodeNetwork> lease) {
  has_lease_ = lease.has_value();
  if (!has_lease_ || lease_ == lease) return {};
  lease_ = std::move(lease);
  return {.store = true};
}

double KnownCluster::list_age(Time now) const {
  const std::chrono::duration<double> age = now - listed_at_.value_or(now + std::chrono::seconds(1));
  return age.count();
}

}  // namespace holdfast::flannel
