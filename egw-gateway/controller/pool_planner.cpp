#include "egw-gateway/controller/pool_planner.h"

#include <algorithm>

#include "egw-gateway/controller/gateway_status.h"
#include "egw-gateway/controller/pool_names.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestPool = 63;  // it is a label's value

}  // namespace

std::string value_in(const Text& text, const char* key) {
  const std::string* found = find_in(text, std::string(key));
  return found == nullptr ? "" : *found;
}

PoolPlanner::PoolPlanner(const ClusterSight& cluster, const std::string& pool, const PoolMemory& memory,
                         const PlanOptions& options, const FreshKeys& fresh, const std::string& now)
    : cluster_(cluster), pool_(pool), memory_(memory), options_(options), fresh_(fresh), now_(now) {
  gateway_ = ours(cluster.gateways, pool, Kind::kEdgeGateway);
  keys_secret_ = ours(cluster.secrets, keys_name(pool), Kind::kSecret);
  liveness_secret_ = ours(cluster.secrets, liveness_name(pool), Kind::kSecret);
  budget_ = ours(cluster.budgets, pool, Kind::kBudget);
  helper_ = ours(cluster.helpers, helper_name(pool), Kind::kDaemonSet);
  for (const char* name : kGateways) {
    cores_[name] = ours(cluster.deployments, deployment_name(pool, name), Kind::kDeployment);
  }
}

PoolPlan PoolPlanner::plan() {
  const NodePool* pool = find_in(cluster_.pools, pool_);
  if (pool != nullptr) request_ = read_request(*pool, kept_annotations());
  if (request_.enhanced) {
    keep_up();
  } else if (has_anything()) {
    let_go(pool != nullptr);
  }
  return std::move(out_);
}

bool PoolPlanner::has_anything() const {
  return gateway_ != nullptr || keys_secret_ != nullptr || liveness_secret_ != nullptr ||
         budget_ != nullptr || helper_ != nullptr || started();
}

bool PoolPlanner::started() const {
  return std::ranges::any_of(cores_, [](const auto& core) { return core.second != nullptr; });
}

bool PoolPlanner::is_bare() const {
  if (started() || helper_ != nullptr) return false;
  return gateway_ == nullptr || (gateway_->trouble.empty() && gateway_->spec.gateways.empty());
}

Text PoolPlanner::kept_annotations() const {
  Text out;
  if (gateway_ == nullptr || is_bare()) return out;
  for (const char* key : kEnhancedAnnotations) {
    const std::string value = value_in(gateway_->annotations, key);
    if (!value.empty()) out[key] = value;
  }
  return out;
}

void PoolPlanner::keep_up() {
  out_.findings = request_.findings;
  if (pool_.size() > kLongestPool) {
    request_.usable = false;
    find(kAnnotationsUsable, "NameTooLong", "a pool with gateways has a name of 63 characters at most");
    return tell({});
  }
  const Connection* connection = look_for_connection();
  look_for_overlaps(connection);
  if (connection != nullptr) look_at_services(*connection);
  const bool enough = look_at_nodes();
  for (const auto& [kind, name] : foreign_) {
    find(kObjectsOwned, "ForeignObject",
         std::string(to_string(kind)) + " " + name + " is not ours, and is left alone: rename or delete it");
  }
  if (gateway_ != nullptr && !gateway_->trouble.empty()) {
    find(kObjectUsable, "SpecUnreadable",
         "the EdgeGateway cannot be read (" + gateway_->trouble +
             "), and others go on with what they know: what of it is ours is put back; take out what is not, "
             "or delete it, and it is made anew");
  }
  look_for_tunnels();
  look_at_tunnels(connection);
  const bool sound = request_.usable && connection != nullptr && disjoint_ && out_.tunnels && !unusable_;
  if (started() || (sound && enough && gateway_ != nullptr)) keep_up_objects();
  keep_up_gateway(sound ? connection : nullptr);
  look_at_gateways();
  tell(gateways());
}

std::optional<EdgeGateway> PoolPlanner::last_spec() const {
  if (gateway_ == nullptr && is_bare()) return EdgeGateway{};
  return gateway_ != nullptr && gateway_->trouble.empty() ? gateway_->spec : memory_.spec;
}

std::vector<Gateway> PoolPlanner::gateways() const {
  return gateways_of(pool_, cluster_.pods, last_spec().value_or(EdgeGateway{}).gateways);
}

void PoolPlanner::tell(const std::vector<Gateway>& gateways) {
  const EdgeGatewayStatus last = gateway_ == nullptr ? EdgeGatewayStatus{} : gateway_->status;
  const EdgeGatewayStatus now =
      status_of(last, gateway_ == nullptr ? 0 : gateway_->generation, gateways, ready_, out_.findings, now_);
  out_.news = news_in(now, last);
  for (Finding& each : out_.news) {
    const auto cause = std::ranges::find_if(
        out_.findings, [&](const Finding& one) { return std::string_view(one.type) == each.type; });
    each.reason = cause->reason;
  }
  if (gateway_ == nullptr || gateway_->leaving || now == last) return;
  json object{{"apiVersion", kEdgeGatewayApiVersion}, {"kind", kEdgeGatewayKind}};
  object["metadata"] = {{"name", pool_}, {"uid", gateway_->id.uid}};
  object["status"] = encode_edge_gateway_status(now);
  out_.steps.push_back({.verb = Verb::kApplyStatus,
                        .kind = Kind::kEdgeGateway,
                        .name = pool_,
                        .object = std::move(object),
                        .uid = gateway_->id.uid});
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
  if (gateway_ != nullptr && memory_.gone_for < options_.removal_grace) {
    find(kEnhanced, pool_there ? "NotEnhanced" : "PoolGone",
         (pool_there ? "the NodePool has lost the annotations of an enhanced pool"
                     : "there is no such NodePool") +
             std::string(": put it back soon, else the gateways are removed"));
    out_.again_in = options_.removal_grace - memory_.gone_for;
    return tell_as_it_is();
  }
  if (gateway_ != nullptr) return add_remove(Kind::kEdgeGateway, gateway_);
  if (memory_.gateway_absent_for < kHelpersTime) {
    out_.again_in = kHelpersTime - memory_.gateway_absent_for;
    return;
  }
  add_remove(Kind::kDaemonSet, helper_);
  for (const auto& [name, core] : cores_) add_remove(Kind::kDeployment, core);
  add_remove(Kind::kBudget, budget_);
  add_remove(Kind::kSecret, keys_secret_);
  add_remove(Kind::kSecret, liveness_secret_);
}

void PoolPlanner::tell_as_it_is() {
  look_at_gateways();
  tell(gateways());
}

void PoolPlanner::add_remove(Kind kind, const OwnedObject* seen) {
  if (seen == nullptr || seen->leaving) return;
  out_.steps.push_back(
      {.verb = Verb::kRemove, .kind = kind, .name = seen->id.name, .object = {}, .uid = seen->id.uid});
}

}  // namespace holdfast::gateway
