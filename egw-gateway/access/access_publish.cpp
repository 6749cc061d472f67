#include <algorithm>
#include <utility>

#include "egw-gateway/access/access_agent.h"
#include "egw-gateway/access/local_address.h"

// What is told of the choice: to the tables of routes, and to who looks at a pool's object.
namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;

constexpr auto kRouteRetry = 1s;
// What is done to the VPC's table by others is not told, and each look costs calls.
constexpr auto kCloudResync = 60s;

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
  const auto removal = removals_.find(pool.name);
  now.reason = "AsItShouldBe";
  now.message.clear();
  if (removal != removals_.end() && removal->second.emptied) {
    now.reason = "ObjectEmptied";
    now.message = removal->second.why;
  } else if (!sight.vpc_trouble.empty()) {
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
