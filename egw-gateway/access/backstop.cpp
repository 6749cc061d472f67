#include "egw-gateway/access/backstop.h"

#include <algorithm>
#include <set>

#include "common/base/first_error.h"
#include "common/netlink/route.h"
#include "egw-gateway/access/routes/aggregate.h"
#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

nl::Route backstop(const Cidr& range) {
  nl::Route out{.dst = range.network()};
  out.protocol = kBackstopProtocol;
  out.priority = kUnreachableMetric;
  out.type = nl::RouteType::kUnreachable;
  return out;
}

}  // namespace

Status keep_backstop(nl::Socket& socket, const std::vector<Cidr>& ranges) {
  HOLDFAST_TRY(const std::vector<nl::Route> routes, nl::list_routes(socket));
  std::set<Cidr> there;
  for (const nl::Route& route : routes) {
    const bool ours = route.protocol == kBackstopProtocol && route.priority == kUnreachableMetric;
    if (ours) there.insert(route.dst.network());
  }
  FirstError first;
  const std::vector<Cidr> blocks = aggregate(ranges);
  const std::set<Cidr> wanted(blocks.begin(), blocks.end());
  for (const Cidr& range : wanted) {
    if (!there.contains(range)) first.add(socket.run(nl::put_route(backstop(range))));
  }
  for (const Cidr& range : there) {
    if (!wanted.contains(range)) first.add(socket.run(nl::drop_route(backstop(range))));
  }
  return first.result();
}

}  // namespace holdfast::gateway
