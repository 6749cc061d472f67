#include "cni-flannel/daemon/route_lookup.h"

namespace holdfast::flannel {

const nl::Route* best_route(std::span<const nl::Route> routes, const IpAddress& address, int ignored_link) {
  const nl::Route* best = nullptr;
  for (const nl::Route& route : routes) {
    if (!route.dst.contains(address) || (ignored_link != 0 && route.ifindex == ignored_link)) continue;
    const bool better = best == nullptr || route.dst.prefix() > best->dst.prefix() ||
                        (route.dst.prefix() == best->dst.prefix() && route.priority < best->priority);
    if (better) best = &route;
  }
  return best;
}

}  // namespace holdfast::flannel
