#include "egw-gateway/access/routes/kernel_table.h"

#include <cerrno>

#include "common/netlink/route.h"

namespace holdfast::gateway {
namespace {

nl::Route route_of(const Cidr& range) {
  nl::Route out{.dst = range.network()};
  out.protocol = kPodRouteProtocol;
  out.priority = kPodRouteMetric;
  return out;
}

tl::unexpected<RouteError> trouble_of(const Error& error) {
  const bool passing = error.code == Code::kUnavailable || error.code == Code::kAborted ||
                       error.code == Code::kDeadlineExceeded;
  return tl::unexpected(
      RouteError{passing ? RouteTrouble::kBusy : RouteTrouble::kRefused, error.message, {}});
}

RouteDone done_of(const Status& status) {
  if (status) return {};
  return trouble_of(status.error());
}

}  // namespace

RouteAnswer<std::vector<TableRoute>> KernelTable::list(Patience /*patience*/) {
  const auto routes = nl::list_routes(socket_);
  if (!routes) return trouble_of(routes.error());
  std::vector<TableRoute> out;
  for (const nl::Route& route : *routes) {
    if (route.priority != kPodRouteMetric) continue;
    const bool ours = route.protocol == kPodRouteProtocol;
    // of ours that are of another shape each is put anew: they lead into no tunnel that there is
    const bool whole = !route.gateway && !route.multipath;
    const int tunnel = route.type == nl::RouteType::kUnicast ? route.ifindex : 0;
    out.push_back({.range = route.dst,
                   .owner = ours ? RouteOwner::kOurs : RouteOwner::kForeign,
                   .tunnel = tunnel,
                   .complete = whole});
  }
  return out;
}

RouteDone KernelTable::put(const PodRange& range, const std::optional<TableRoute>& there,
                           Patience /*patience*/) {
  nl::Route route = route_of(range.range);
  route.ifindex = range.tunnel;
  if (there) return done_of(socket_.run(nl::put_route(route)));
  const Status added = socket_.run(nl::add_route(route));
  // what somebody has made meanwhile is not replaced unseen
  if (!added && added.error().code == Code::kAlreadyExists) {
    return tl::unexpected(RouteError{RouteTrouble::kBusy, added.error().message, {}});
  }
  return done_of(added);
}

RouteDone KernelTable::drop(const TableRoute& route, Patience /*patience*/) {
  nl::Route ours = route_of(route.range);
  ours.ifindex = route.tunnel;
  // somebody, or a version before this one, has made it so
  if (route.tunnel == 0) ours.type = nl::RouteType::kUnreachable;
  return done_of(socket_.run(nl::drop_route(ours)));
}

}  // namespace holdfast::gateway
