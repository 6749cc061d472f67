// What an Agent makes of what its source tells, and what it tells it.
#include <algorithm>
#include <utility>

#include "cni-flannel/daemon/agent.h"

namespace holdfast::flannel {

void Agent::publish() {
  if (!source_ || !own_) return;
  if (published_ == own_ && published_transitions_ == tools_.conditions.transitions()) return;
  published_ = own_;
  published_transitions_ = tools_.conditions.transitions();
  const NodeNetworkObject* told = known_.find(options_.node_name);
  source_->publish(*own_, {told == nullptr ? 0 : told->identity.generation, tools_.conditions.list()});
}

void Agent::set_forget_timer() {
  const auto next = known_.next_forget(options_.peer_removal_delay);
  if (next == KnownPeers::Time::max()) {
    forget_timer_.end();
  } else {
    forget_timer_ = tools_.loop.after(next - now(), [this] { forget(); });
  }
}

void Agent::forget() {
  for (const std::string& name : known_.forget(now(), options_.peer_removal_delay)) {
    tools_.log.info("node is gone", {{"node", name}});
    peers_changed();
  }
  set_forget_timer();
}

void Agent::cluster(const std::string& id) {
  if (id == cluster_id_) return;
  if (!cluster_id_.empty()) {
    tools_.log.warning("this is another cluster: what is known of the last one is forgotten",
                       {{"cluster", id}, {"was", cluster_id_}});
    own_.reset();
    has_lease_ = false;
    known_ = KnownPeers();
    listed_at_.reset();
    peers_known_ = false;
    position_.clear();
    crd_seen_ = false;
  }
  cluster_id_ = id;
  state_.changed();
}

void Agent::upsert(NodeNetworkObject node) {
  const bool ours = node.identity.name == options_.node_name;
  if (!known_.put(std::move(node), now())) return;
  peers_changed();
  set_forget_timer();
  if (ours) round_after({});
}

void Agent::removed(const std::string& name, const std::string& uid) {
  known_.gone(name, uid, now());
  set_forget_timer();
}

void Agent::listed(const NodeNames& names) {
  known_.keep_only(names, now());
  const bool first = !listed_at_;
  if (!names.empty()) {
    listed_at_ = now();
    peers_known_ = true;
  }
  if (first) round_after({});
  set_forget_timer();
}

void Agent::position(const std::string& resource_version) { position_ = resource_version; }

void Agent::crd_seen() {
  crd_seen_ = true;
  state_.changed();
}

void Agent::health(const SourceHealth& health) {
  tools_.metrics.source_reachable.set(health.reachable ? 1 : 0);
  if (health.reachable) {
    tools_.conditions.well(kSourceReachable);
    tools_.conditions.set(kObjectsUnusable, "PartlyUsable", health.detail);
  } else {
    tools_.conditions.unwell(kSourceReachable, kUnreachableReason, health.detail);
  }
  publish();
}

void Agent::refuse_to_join(Error why) {
  tools_.conditions.unwell(kCidrConflict, "RangesOverlap", why.message);
  refusal_ = std::move(why);
  if (source_) tell_refusal();
}

void Agent::tell_refusal() {
  const std::vector<Condition> conditions = tools_.conditions.list();
  source_->refuse(*std::ranges::find(conditions, kCidrConflict.type, &Condition::type),
                  [this] { tools_.loop.stop(); });
}

}  // namespace holdfast::flannel
