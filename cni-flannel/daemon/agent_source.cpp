// What an Agent makes of what its source tells, and what it tells it.
#include <algorithm>
#include <utility>

#include "cni-flannel/daemon/agent.h"
#include "cni-flannel/daemon/controller_conditions.h"

namespace holdfast::flannel {

void Agent::publish() {
  const NodeNetwork* lease = known_.lease();
  if (!source_ || lease == nullptr) return;
  if (published_ == *lease && published_transitions_ == tools_.conditions.transitions()) return;
  published_ = *lease;
  published_transitions_ = tools_.conditions.transitions();
  const NodeNetworkObject* told = known_.told_of_us();
  source_->publish(*lease, {told == nullptr ? 0 : told->identity.generation, tools_.conditions.list()});
}

/// A flannel's interface is taken over before there is a lease by which its device would be made anew.
Status Agent::take_former() {
  const NodeNetworkObject* told = known_.told_of_us();
  return known_.lease() == nullptr && told != nullptr ? overlay_.take_former(told->network) : Status{};
}

void Agent::follow_up(const KnownCluster::Todo& todo) {
  if (todo.store) state_.changed();
  if (todo.peers && !peers_timer_.pending()) peers_timer_ = tools_.loop.after({}, [this] { put_peers(); });
  if (todo.all) round_after({});
  const auto next = known_.next_forget();
  if (next == KnownCluster::Time::max()) {
    forget_timer_.end();
  } else {
    forget_timer_ = tools_.loop.after(next - now(), [this] { forget(); });
  }
}

void Agent::forget() {
  const std::vector<std::string> names = known_.forget(now());
  for (const std::string& name : names) tools_.log.info("node is gone", {{"node", name}});
  follow_up({.store = !names.empty(), .peers = !names.empty()});
}

void Agent::cluster(const std::string& id) {
  const std::string was = known_.memory().cluster_id;
  const KnownCluster::Todo todo = known_.cluster(id);
  if (todo.store && !was.empty()) {
    tools_.log.warning("this is another cluster: what is known of the last one is forgotten",
                       {{"cluster", id}, {"was", was}});
    overlay_.recall_former({});
    subnet_env_.withdraw();
  }
  follow_up(todo);
}

void Agent::upsert(NodeNetworkObject node) { follow_up(known_.upsert(std::move(node), now())); }

void Agent::removed(const std::string& name, const std::string& uid) {
  follow_up(known_.removed(name, uid, now()));
}

void Agent::listed(const NodeNames& names) { follow_up(known_.listed(names, now())); }

void Agent::position(const std::string& resource_version) { known_.position(resource_version); }

void Agent::crd_seen() { follow_up(known_.crd_seen()); }

void Agent::health(const SourceHealth& health) {
  if (health.reachable) known_.reached(now());
  tools_.metrics.source_reachable.set(health.reachable ? 1 : 0);
  if (health.reachable) {
    tools_.conditions.well(kSourceReachable);
    tools_.conditions.set(kObjectsUnusable, "PartlyUsable", health.detail);
  } else {
    tools_.conditions.unwell(kSourceReachable, kUnreachableReason, health.detail);
  }
  follow_up({});
  publish();
}

void Agent::judged(const std::vector<Condition>& by_controller) {
  std::string faults;
  bool mac_is_anothers = false;
  for (const Condition& one : by_controller) {
    if (one.status != "False") continue;
    faults += (faults.empty() ? "" : "; ") + one.type + ": " + one.message;
    mac_is_anothers = mac_is_anothers || one.type == kMacUnique;
  }
  tools_.conditions.set(kControllerFindsFault, kToldByControllerReason, faults);
  if (std::exchange(mac_is_anothers_, mac_is_anothers) == mac_is_anothers) return;
  if (mac_is_anothers) tools_.log.warning("another node has our VTEP MAC: we take that of our name", {});
  round_after({});
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
