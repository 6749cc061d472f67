#include "egw-gateway/access/left_behind.h"

#include <algorithm>
#include <vector>

#include "common/netlink/link.h"
#include "common/netlink/route.h"
#include "egw-gateway/access/backstop.h"
#include "egw-gateway/access/own_ranges.h"
#include "egw-gateway/access/routes/aggregate.h"
#include "egw-gateway/access/routes/kernel_table.h"
#include "egw-gateway/tunnel/tunnel_keeper.h"

namespace holdfast::gateway {
namespace {

bool has_link(const AccessPlan& plan, const std::string& name) {
  const std::vector<const GatewayWay*> ways = plan.ways();
  return std::ranges::any_of(ways, [&](const GatewayWay* way) { return way->link == name; });
}

/// As few blocks as hold all that the plan closes: an earlier start has closed such blocks too.
std::vector<Cidr> blocks_of(const AccessPlan& plan) {
  std::vector<Cidr> ranges;
  for (const ServedPool& pool : plan.pools) {
    ranges.insert(ranges.end(), pool.pods.begin(), pool.pods.end());
    for (const GatewayWay& way : pool.ways) {
      for (const IpAddress& address : way.addresses) ranges.push_back(host_range(address));
    }
  }
  return aggregate(ranges);
}

}  // namespace

Result<bool> leaves_behind(nl::Socket& socket, const AccessPlan& plan) {
  HOLDFAST_TRY(const std::vector<nl::Link> links, nl::list_links(socket));
  const auto is_unknown_link = [&](const nl::Link& link) {
    return link.name.starts_with(kAccessLinkPrefix) && is_tunnel(link) && !has_link(plan, link.name);
  };
  if (std::ranges::any_of(links, is_unknown_link)) return true;
  HOLDFAST_TRY(const std::vector<nl::Route> routes, nl::list_routes(socket));
  const std::vector<Cidr> blocks = blocks_of(plan);
  return std::ranges::any_of(routes, [&](const nl::Route& route) {
    const bool closed = route.protocol == kBackstopProtocol && route.priority == kUnreachableMetric;
    const bool ours = closed || route.protocol == kPodRouteProtocol;
    return ours && std::ranges::none_of(
                       blocks, [&](const Cidr& block) { return block.contains(route.dst.network()); });
  });
}

}  // namespace holdfast::gateway
