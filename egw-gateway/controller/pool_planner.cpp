#include "egw-gateway/controller/pool_planner.h"

#include <algorithm>

#include "common/base/clock.h"
#include "egw-gateway/controller/gateway_status.h"
#include "egw-gateway/controller/pool_names.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestPool = 63;  // it is a label's value

}  // namespace

PoolPlanner::PoolPlanner(const ClusterSight& cluster, const std::string& pool, const PoolMemory& memory,
                         const PlanOptions& options, const FreshKeys& fresh, const std::string& now)
    : cluster_(cluster),
      pool_(pool),
      memory_(memory),
      options_(options),
      fresh_(fresh),
      now_(now),
      seen_(see_pool(cluster, pool)) {}

PoolPlan PoolPlanner::plan() {
  const NodePool* pool = find_in(cluster_.pools, pool_);
  const PoolRequest request = pool == nullptr ? PoolRequest{} : read_request(*pool, kept_annotations());
  if (request.enhanced) {
    keep_up(request);
  } else if (seen_.has_anything()) {
    let_go(pool != nullptr);
  }
  return std::move(out_);
}

Text PoolPlanner::kept_annotations() const {
  Text out;
  if (seen_.gateway == nullptr || seen_.is_bare()) return out;
  for (const char* key : kEnhancedAnnotations) {
    const std::string value = value_in(seen_.gateway->annotations, key);
    if (!value.empty()) out[key] = value;
  }
  return out;
}

void PoolPlanner::keep_up(const PoolRequest& request) {
  out_.findings = request.findings;
  if (pool_.size() > kLongestPool) {
    find(kAnnotationsUsable, "NameTooLong", "a pool with gateways has a name of 63 characters at most");
    return tell({}, {});
  }
  const Connection* connection = look_for_connection(request);
  const bool disjoint = look_for_overlaps(request, connection);
  if (connection != nullptr) look_at_services(*connection);
  const bool enough_nodes = look_at_nodes(request);
  look_at_objects();
  const Tunnels tunnels = look_for_tunnels();
  const bool tunnels_fit = tunnels && look_at_tunnels(*tunnels, request);
  const bool enough_ports = tunnels && connection != nullptr && look_at_ports(*tunnels, *connection);
  const bool sound = request.usable && disjoint && tunnels_fit && enough_ports;
  out_.tunnels = tunnels;
  Keys keys;
  if (seen_.started() || (sound && enough_nodes && seen_.gateway != nullptr)) keys = keep_up_objects(tunnels);
  keep_up_gateway(
      {.request = request, .connection = sound ? connection : nullptr, .tunnels = tunnels, .keys = keys});
  tell_as_it_is();
}

std::optional<EdgeGateway> PoolPlanner::last_spec() const {
  if (seen_.gateway == nullptr && seen_.is_bare()) return EdgeGateway{};
  return seen_.gateway != nullptr && seen_.gateway->trouble.empty() ? seen_.gateway->spec : memory_.spec;
}

std::vector<Gateway> PoolPlanner::gateways() const {
  return gateways_of(pool_, cluster_.pods, last_spec().value_or(EdgeGateway{}).gateways);
}

std::chrono::sys_seconds PoolPlanner::clock() const {
  return parse_utc(now_).value_or(std::chrono::sys_seconds{});
}

void PoolPlanner::look_again_in(std::optional<std::chrono::nanoseconds> time) {
  if (time) out_.again_in = std::min(*time, out_.again_in.value_or(*time));
}

void PoolPlanner::tell(const std::vector<Gateway>& gateways, const std::vector<std::string>& ready) {
  const EdgeGatewayStatus last = seen_.gateway == nullptr ? EdgeGatewayStatus{} : seen_.gateway->status;
  const EdgeGatewayStatus now = status_of(last, seen_.gateway == nullptr ? 0 : seen_.gateway->generation,
                                          gateways, ready, out_.findings, now_);
  out_.news = news_in(now, last);
  for (PoolFinding& each : out_.news) {
    const auto cause = std::ranges::find(out_.findings, each.type, &PoolFinding::type);
    each.reason = cause->reason;
  }
  if (seen_.gateway == nullptr || seen_.gateway->leaving || now == last) return;
  json object{{"apiVersion", kEdgeGatewayApiVersion}, {"kind", kEdgeGatewayKind}};
  object["metadata"] = {{"name", pool_}, {"uid", seen_.gateway->id.uid}};
  object["status"] = encode_edge_gateway_status(now);
  out_.steps.push_back({.verb = Verb::kApplyStatus,
                        .kind = Kind::kEdgeGateway,
                        .name = pool_,
                        .object = std::move(object),
                        .uid = seen_.gateway->id.uid});
}

void PoolPlanner::let_go(bool pool_there) {
  const auto bearer =
      std::ranges::find_if(cluster_.nodes, [&](const auto& node) { return node.second.pool == pool_; });
  if (!pool_there && bearer != cluster_.nodes.end()) {
    find(kEnhanced, "PoolGone",
         "there is no NodePool " + pool_ + ", but node " + bearer->first +
             " is in it: make the NodePool again, or take the node out; until then all stays");
    return tell_as_it_is();
  }
  out_.gone = true;
  if (seen_.gateway != nullptr && memory_.gone_for < options_.removal_grace) {
    find(kEnhanced, pool_there ? "NotEnhanced" : "PoolGone",
         (pool_there ? "the NodePool has lost the annotations of an enhanced pool"
                     : "there is no such NodePool") +
             std::string(": put it back soon, else the gateways are removed"));
    out_.again_in = options_.removal_grace - memory_.gone_for;
    return tell_as_it_is();
  }
  if (seen_.gateway != nullptr) return add_remove(Kind::kEdgeGateway, seen_.gateway);
  if (memory_.gateway_absent_for < kHelpersTime) {
    out_.again_in = kHelpersTime - memory_.gateway_absent_for;
    return;
  }
  add_remove(Kind::kDaemonSet, seen_.helper);
  for (const auto& [name, core] : seen_.cores) add_remove(Kind::kDeployment, core);
  add_remove(Kind::kBudget, seen_.budget);
  add_remove(Kind::kSecret, seen_.keys);
  add_remove(Kind::kSecret, seen_.liveness);
}

void PoolPlanner::tell_as_it_is() {
  const std::vector<std::string> ready = look_at_gateways();
  tell(gateways(), ready);
}

void PoolPlanner::add_remove(Kind kind, const OwnedObject* seen) {
  if (seen == nullptr || seen->leaving) return;
  out_.steps.push_back(
      {.verb = Verb::kRemove, .kind = kind, .name = seen->id.name, .object = {}, .uid = seen->id.uid});
}

}  // namespace holdfast::gateway
