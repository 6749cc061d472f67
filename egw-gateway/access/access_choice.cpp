#include <algorithm>
#include <utility>

#include "egw-gateway/access/access_agent.h"
#include "egw-gateway/access/local_address.h"

// Which gateway each pool is reached by: from what the gateways tell to routes.
namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;

constexpr auto kUndecided = 250ms;  // time alone may change the choice
constexpr auto kRouteRetry = 1s;
constexpr auto kCloudResync =
    60s;  // what is done to its table by others is not told, and each look costs calls

bool is_same_session(const TunnelTarget& a, const TunnelTarget& b) {
  return a.local == b.local && a.peer == b.peer && a.ifindex == b.ifindex;
}

std::string shown(const std::string& gateway) { return gateway.empty() ? "none" : gateway; }

/// A condition's reason and its text.
struct VpcTrouble {
  std::string reason;
  std::string text;
};

/// Of a publication what is wrong with a pool's ranges; the worst first.
VpcTrouble trouble_with(const ServedPool& pool, const Publication& publication) {
  VpcTrouble out;
  for (const auto& [range, error] : publication.troubles) {
    const bool concerned =
        std::ranges::any_of(pool.pods, [&, &at = range](const Cidr& pods) { return pods.overlaps(at); });
    if (!concerned) continue;
    if (out.reason.empty() || error.trouble == RouteTrouble::kQuota) out.reason = to_string(error.trouble);
    out.text += (out.text.empty() ? "" : "; ") + range.to_string() + ": " + error.message;
  }
  return out;
}

}  // namespace

void AccessAgent::watch() {
  std::map<WayName, TunnelTarget> watched;
  std::vector<TunnelTarget> targets;
  for (const GatewayWay* way : plan_.ways()) {
    const int ifindex = ifindex_of(way->name);
    if (ifindex == 0) continue;
    targets.push_back({way->name, way->local, way->peer, ifindex, way->interval});
    watched[way->name] = targets.back();
    histories_[way->name.pool].watch(way->name.gateway, now());
  }
  for (const auto& [name, before] : watched_) {
    const auto kept = watched.find(name);
    const bool same = kept != watched.end() && is_same_session(kept->second, before);
    // its session is another one now, or none
    if (!same && is_up(name)) histories_[name.pool].told(name.gateway, false, now());
  }
  watched_ = std::move(watched);
  const Status done = liveness_.want(targets);
  tools_.health.set(kGatewaysWatched, done ? "" : done.error().message);
}

void AccessAgent::way_told(const WayName& way, bool up, const std::string& why) {
  tools_.log.info(up ? "gateway is up" : "gateway is down", {{"gateway", way.to_string()}, {"why", why}});
  histories_[way.pool].told(way.gateway, up, now());
  choose_all();
}

void AccessAgent::choose_all() {
  if (!looked_) return;
  std::string dead;
  undecided_ = false;
  for (const ServedPool& pool : plan_.pools) choose_for(pool, dead);
  std::erase_if(sights_, [&](const auto& entry) {
    return std::ranges::find(plan_.pools, entry.first, &ServedPool::name) == plan_.pools.end();
  });
  tools_.health.set(kGatewaysAlive, dead);
  // a router that has another access point takes that, as long as nothing is reached here
  const bool any =
      std::ranges::any_of(sights_, [](const auto& entry) { return !entry.second.choice.active.empty(); });
  liveness_.tell_routers(any);
  const PublishedRanges wanted = ranges();
  if (wanted != published_) publish();
  if (undecided_ || wanted.time_matters)
    choice_timer_ = tools_.loop.after(kUndecided, [this] { choose_all(); });
}

void AccessAgent::choose_for(const ServedPool& pool, std::string& dead) {
  Sight& sight = sight_of(pool);
  std::vector<Candidate> candidates;
  for (const GatewayWay& way : pool.ways) {
    Candidate candidate{way.name.gateway, way.priority};
    histories_[pool.name].describe(candidate, now());
    candidate.reachable = ifindex_of(way.name) != 0;
    tools_.metrics.all
        .gauge("egw_access_gateway_up", "Whether a gateway is alive.",
               {{"pool", pool.name}, {"gateway", way.name.gateway}})
        .set(candidate.state == LivenessState::kUp ? 1 : 0);
    candidates.push_back(std::move(candidate));
  }
  const Choice before = sight.choice;
  sight.choice = choose(candidates, before, now());
  undecided_ = undecided_ || sight.choice.undecided;
  if (sight.choice.active.empty()) dead += (dead.empty() ? "no gateway is alive of pool " : ", ") + pool.name;
  show_choice(pool, before, sight);
  report(pool, sight);
}

AccessAgent::Sight& AccessAgent::sight_of(const ServedPool& pool) {
  const auto [there, made] = sights_.try_emplace(pool.name);
  Sight& out = there->second;
  if (!made) return out;
  out.seen_since = now();
  out.report.pool = pool.name;
  for (const TableRoute& route : before_) {
    const bool of_pool =
        std::ranges::any_of(pool.pods, [&](const Cidr& pods) { return pods.overlaps(route.range); });
    if (route.owner != RouteOwner::kOurs || route.tunnel == 0 || !of_pool) continue;
    for (const GatewayWay& way : pool.ways) {
      if (ifindex_of(way.name) == route.tunnel) out.choice.active = out.choice.last = way.name.gateway;
    }
  }
  return out;
}

void AccessAgent::show_choice(const ServedPool& pool, const Choice& before, Sight& sight) {
  const Choice& choice = sight.choice;
  for (const GatewayWay& way : pool.ways) {
    tools_.metrics.all
        .gauge("egw_access_active", "Whether a pool is reached by a gateway.",
               {{"pool", pool.name}, {"gateway", way.name.gateway}})
        .set(way.name.gateway == choice.active ? 1 : 0);
  }
  if (choice.active == before.active) return;
  if (choice.active.empty()) {
    tools_.metrics.outages.add();
    sight.lost = now();
  }
  if (!before.last.empty() && choice.last != before.last) tools_.metrics.switches.add();
  sight.report.switched = tools_.loop.clock().now();
  tools_.log.warning("gateway changed", {{"pool", pool.name},
                                         {"from", shown(before.active)},
                                         {"to", shown(choice.active)},
                                         {"why", choice.why}});
}

bool AccessAgent::is_up(const WayName& way) const {
  const auto history = histories_.find(way.pool);
  return history != histories_.end() && history->second.state(way.gateway) == LivenessState::kUp;
}

PoolSight AccessAgent::pool_sight(const ServedPool& pool, const Sight& sight) const {
  PoolSight out{.active = sight.choice.active, .seen_since = sight.seen_since, .lost = sight.lost};
  const auto history = histories_.find(pool.name);
  for (const GatewayWay& way : pool.ways) {
    WaySight& seen = out.ways[way.name.gateway];
    seen.ifindex = ifindex_of(way.name);
    if (history == histories_.end()) continue;
    Candidate candidate{way.name.gateway};
    history->second.describe(candidate, now());
    seen.state = candidate.state;
    seen.went_down = history->second.went_down(way.name.gateway);
  }
  return out;
}

PublishedRanges AccessAgent::ranges() const {
  std::map<std::string, PoolSight> sights;
  for (const ServedPool& pool : plan_.pools) {
    const auto sight = sights_.find(pool.name);
    if (sight != sights_.end()) sights[pool.name] = pool_sight(pool, sight->second);
  }
  return published_ranges(plan_.pools, sights, now());
}

void AccessAgent::publish() {
  if (!looked_) return;
  published_ = ranges();
  kernel_->want(published_.here);
  publish_to_vpc();
}

/// Of machines that are one next hop the one that has its address.
bool AccessAgent::writes_vpc() {
  if (!options_.ha_vip) return true;
  const Result<bool> here = has_address(tools_.socket, *options_.ha_vip);
  if (!here) tools_.log.warning("the HaVip is not looked for", {{"error", here.error().message}});
  return here && *here;
}

void AccessAgent::publish_to_vpc() {
  // a store that was lost, and a source that has not told, are no reason to withdraw all
  const bool known = published_.vpc && (listed_ || !plan_.pools.empty());
  if (!cloud_ || !known) return;
  if (!writes_vpc()) {
    in_vpc_.reset();
    return vpc_published(Publication{});
  }
  const bool changed = in_vpc_ != published_.vpc;
  if (!changed && now() - cloud_asked_ < kCloudResync) return;
  cloud_asked_ = now();
  in_vpc_ = published_.vpc;
  cloud_->want(*in_vpc_);
}

void AccessAgent::kernel_published(const RouteAnswer<Publication>& answer) {
  std::string trouble;
  if (!answer) {
    trouble = answer.error().message;
  } else {
    for (const auto& [range, error] : answer->troubles) {
      trouble += (trouble.empty() ? "" : "; ") + range.to_string() + ": " + error.message;
    }
    tools_.metrics.all.gauge("egw_access_routes", "Ranges that lead here.", {{"table", "kernel"}})
        .set(static_cast<double>(answer->standing.size()));
  }
  tools_.health.set(kRoutesInPlace, trouble);
  tools_.metrics.ready.set(tools_.health.ready() ? 1 : 0);
  if (!trouble.empty()) look_after(kRouteRetry);
}

void AccessAgent::vpc_published(const RouteAnswer<Publication>& answer) {
  std::string all = answer ? "" : answer.error().message;
  if (answer) {
    tools_.metrics.all.gauge("egw_access_routes", "Ranges that lead here.", {{"table", "vpc"}})
        .set(static_cast<double>(answer->standing.size()));
    tools_.metrics.all
        .gauge("egw_access_route_troubles", "Ranges that are not as they should be.", {{"table", "vpc"}})
        .set(static_cast<double>(answer->troubles.size()));
  }
  for (const ServedPool& pool : plan_.pools) {
    const auto sight = sights_.find(pool.name);
    if (sight == sights_.end()) continue;
    const VpcTrouble trouble =
        answer ? trouble_with(pool, *answer)
               : VpcTrouble{std::string(to_string(answer.error().trouble)), answer.error().message};
    sight->second.vpc_reason = trouble.reason;
    sight->second.vpc_trouble = trouble.text;
    report(pool, sight->second);
    if (answer && !trouble.text.empty())
      all += (all.empty() ? "pool " : "; pool ") + pool.name + ": " + trouble.text;
  }
  tools_.health.set(kVpcRoutes, all);
}

void AccessAgent::report_refused() {
  std::map<std::string, std::string> refused = plan_.troubles;
  for (const ServedPool& pool : plan_.pools) refused.erase(pool.name);
  for (const auto& [pool, why] : refused) {
    const auto before = refused_.find(pool);
    if (before != refused_.end() && before->second == why) continue;
    reported_({.pool = pool, .reason = "PoolRefused", .message = why});
  }
  refused_ = std::move(refused);
}

std::vector<std::string> AccessAgent::keys_taken(const ServedPool& pool) const {
  std::set<std::string> out;
  for (const GatewayWay& way : pool.ways) {
    const auto view = views_.find(way.name);
    if (view == views_.end()) continue;
    for (const wireguard::PeerState& each : view->second.peers) out.insert(each.peer.key.to_string());
  }
  return {out.begin(), out.end()};
}

void AccessAgent::report(const ServedPool& pool, Sight& sight) {
  PoolReport now = sight.report;
  now.active = sight.choice.active;
  now.keys = keys_taken(pool);
  const auto refused = plan_.troubles.find(pool.name);
  now.reason = "AsItShouldBe";
  now.message.clear();
  if (!sight.vpc_trouble.empty()) {
    now.reason = sight.vpc_reason;
    now.message = sight.vpc_trouble;
  } else if (refused != plan_.troubles.end()) {
    now.reason = "GatewayRefused";
    now.message = refused->second;
  } else if (now.active.empty()) {
    now.reason = "NoGatewayAlive";
    now.message = "no gateway of the pool is alive";
  }
  if (now == sight.report) return;
  sight.report = now;
  reported_(now);
}

}  // namespace holdfast::gateway
