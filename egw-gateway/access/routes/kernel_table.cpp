#include "egw-gateway/access/routes/kernel_table.h"

#include <cerrno>
#include <map>

#include "common/netlink/route.h"

namespace holdfast::gateway {
namespace {

nl::Route route_of(const Cidr& range) {
  nl::Route out{.dst = range.network()};
  out.protocol = kPodRouteProtocol;
  out.priority = kPodRouteMetric;
  return out;
}

/// Into a tunnel, and into nothing else.
bool is_whole(const nl::Route& route) { return !route.gateway && !route.multipath; }

int tunnel_of(const nl::Route& route) { return route.type == nl::RouteType::kUnicast ? route.ifindex : 0; }

/// Of what packets go by, by range.
Result<std::map<Cidr, nl::Route>> list_first(nl::Socket& socket) {
  HOLDFAST_TRY(const std::vector<nl::Route> routes,
               nl::list_routes(socket, {.table = kPodTable, .protocol = kPodRouteProtocol}));
  std::map<Cidr, nl::Route> out;
  for (const nl::Route& route : routes) {
    if (route.priority == kPodRouteMetric) out[route.dst] = route;
  }
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
  auto first = list_first(socket_);
  if (!first) return trouble_of(first.error());
  std::vector<TableRoute> out;
  for (const nl::Route& route : *routes) {
    if (route.priority != kPodRouteMetric) continue;
    TableRoute told{.range = route.dst, .tunnel = tunnel_of(route)};
    if (route.protocol == kPodRouteProtocol) {
      told.owner = RouteOwner::kOurs;
      const auto twin = first->find(route.dst);
      // of ours that are of another shape each is put anew: they lead into no tunnel that there is
      told.complete = is_whole(route) && twin != first->end() && is_whole(twin->second) &&
                      tunnel_of(twin->second) == told.tunnel;
      if (twin != first->end()) first->erase(twin);
    }
    out.push_back(told);
  }
  // half of a put or of a drop, or somebody has taken the other half away
  for (const auto& [range, route] : *first) {
    out.push_back(
        {.range = range, .owner = RouteOwner::kOurs, .tunnel = tunnel_of(route), .complete = false});
  }
  return out;
}

RouteDone KernelTable::put(const PodRange& range, const std::optional<TableRoute>& there,
                           Patience /*patience*/) {
  nl::Route route = route_of(range.range);
  route.ifindex = range.tunnel;
  const Status told = socket_.run(there ? nl::put_route(route) : nl::add_route(route));
  // what somebody has made meanwhile is not replaced unseen
  if (!there && !told && told.error().code == Code::kAlreadyExists) {
    return tl::unexpected(RouteError{RouteTrouble::kBusy, told.error().message, {}});
  }
  if (!told) return done_of(told);
  route.table = kPodTable;
  return done_of(socket_.run(nl::put_route(route)));
}

RouteDone KernelTable::drop(const TableRoute& route, Patience /*patience*/) {
  nl::Route ours = route_of(route.range);
  ours.ifindex = route.tunnel;
  // somebody, or a version before this one, has made it so
  if (route.tunnel == 0) ours.type = nl::RouteType::kUnreachable;
  const Status told = socket_.run(nl::drop_route(ours));
  if (!told) return done_of(told);
  ours.table = kPodTable;
  return done_of(socket_.run(nl::drop_route(ours)));
}

}  // namespace holdfast::gateway
