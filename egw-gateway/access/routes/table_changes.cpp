#include "egw-gateway/access/routes/table_changes.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "egw-gateway/access/routes/aggregate.h"

namespace holdfast::gateway {
namespace {

bool overlaps_any(const Cidr& range, const std::map<Cidr, PodRange>& wanted) {
  return std::ranges::any_of(wanted, [&](const auto& each) { return each.first.overlaps(range); });
}

/// What becomes of one wanted range.
void plan_range(const PodRange& wanted, const TableRoute* there, TableChanges& plan) {
  if (there == nullptr) {
    plan.puts.push_back({wanted, std::nullopt});
    return;
  }
  if (there->owner == RouteOwner::kForeign) {
    plan.troubles[wanted.range] = {
        RouteTrouble::kForeign, "a route for " + wanted.range.to_string() +
                                    " that is not ours stands there: remove it, or change the pool's range"};
    return;
  }
  if (there->owner == RouteOwner::kPeers && !wanted.take) return;
  if (!there->settled) {
    plan.settling.push_back(wanted.range);
    return;
  }
  const bool here = there->owner == RouteOwner::kOurs && there->tunnel == wanted.tunnel;
  if (here && there->complete) {
    plan.standing.push_back(wanted.range);
  } else {
    plan.puts.push_back({wanted, *there});
  }
}

/// What somebody has the place of leads where it led then, for ever.
bool is_displaced(const TableRoute& route, const std::vector<TableRoute>& there) {
  return std::ranges::any_of(there, [&](const TableRoute& other) {
    return other.range == route.range && other.owner == RouteOwner::kForeign;
  });
}

void plan_drops(const std::map<Cidr, PodRange>& wanted, const std::vector<TableRoute>& there,
                const std::map<Cidr, RouteError>& given_up, TableChanges& plan) {
  for (const TableRoute& route : there) {
    if (route.owner != RouteOwner::kOurs || given_up.contains(route.range)) continue;
    if (wanted.contains(route.range)) {
      if (is_displaced(route, there)) plan.drops.push_back(route);
      continue;
    }
    if (!overlaps_any(route.range, wanted)) {
      plan.drops.push_back(route);
      continue;
    }
    const bool replaced = std::ranges::all_of(wanted, [&](const auto& each) {
      return !each.first.overlaps(route.range) ||
             std::ranges::find(plan.standing, each.first) != plan.standing.end();
    });
    if (replaced) plan.late_drops.push_back(route);
  }
}

}  // namespace

std::string_view to_string(RouteTrouble trouble) {
  constexpr std::array<std::string_view, 5> kNames{"QuotaExceeded", "ForeignRoute", "Refused", "Busy",
                                                   "OutcomeUnknown"};
  return kNames.at(static_cast<std::size_t>(trouble));
}

std::vector<PodRange> aggregate(const std::vector<PodRange>& ranges, bool knows_tunnels) {
  std::map<std::pair<int, bool>, std::vector<Cidr>> alike;
  for (const PodRange& range : ranges) {
    if (range.tunnel == 0) continue;
    alike[{knows_tunnels ? range.tunnel : 0, range.take}].push_back(range.range);
  }
  std::vector<PodRange> out;
  for (const auto& [key, cidrs] : alike) {
    for (const Cidr& range : aggregate(cidrs)) out.push_back({range, key.first, key.second});
  }
  return out;
}

TableChanges plan_routes(const std::vector<PodRange>& wanted, const std::vector<TableRoute>& there,
                         const std::map<Cidr, RouteError>& given_up) {
  TableChanges out;
  out.troubles = given_up;
  std::map<Cidr, PodRange> by_range;
  for (const PodRange& range : wanted) by_range.try_emplace(range.range, range);
  std::map<Cidr, const TableRoute*> known;
  for (const TableRoute& route : there) known.try_emplace(route.range, &route);
  for (const auto& [range, pods] : by_range) {
    if (given_up.contains(range)) continue;
    const auto found = known.find(range);
    plan_range(pods, found == known.end() ? nullptr : found->second, out);
  }
  plan_drops(by_range, there, given_up, out);
  return out;
}

}  // namespace holdfast::gateway
