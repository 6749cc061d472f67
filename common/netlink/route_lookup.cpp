#include "common/netlink/route_lookup.h"

namespace holdfast::nl {

const Route* best_route(std::span<const Route> routes, const IpAddress& address, int ignored_link) {
  const Route* best = nullptr;
  for (const Route& route : routes) {
    if (!route.dst.contains(address) || (ignored_link != 0 && route.ifindex == ignored_link)) continue;
    const bool better = best == nullptr || route.dst.prefix() > best->dst.prefix() ||
                        (route.dst.prefix() == best->dst.prefix() && route.priority < best->priority);
    if (better) best = &route;
  }
  return best;
}

}  // namespace holdfast::nl
