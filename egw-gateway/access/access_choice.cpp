#include <algorithm>
#include <utility>

#include "egw-gateway/access/access_agent.h"

// Which gateway each pool is reached by: from what the gateways tell to a choice. access_publish.cpp goes on
// from there.
namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;

constexpr auto kUndecided = 250ms;  // time alone may change the choice

bool is_same_session(const TunnelTarget& a, const TunnelTarget& b) {
  return a.local == b.local && a.peer == b.peer && a.ifindex == b.ifindex;
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
    if (!same && is_up(name)) histories_[name.pool].told(name.gateway, Word::kDown, now());
  }
  watched_ = std::move(watched);
  const Status done = liveness_.want(targets);
  tools_.health.set(kGatewaysWatched, done ? "" : done.error().message);
}

void AccessAgent::way_told(const WayName& way, Word word, const std::string& why) {
  tools_.log.info(word == Word::kUp ? "gateway is up" : "gateway is down",
                  {{"gateway", way.to_string()}, {"why", why}});
  histories_[way.pool].told(way.gateway, word, now());
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

}  // namespace holdfast::gateway
