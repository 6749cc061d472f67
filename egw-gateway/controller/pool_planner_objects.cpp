#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "common/base/json.h"
#include "egw-gateway/controller/pool_names.h"
#include "egw-gateway/controller/pool_planner.h"
#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

std::uint64_t number_to_run_with(const PoolKeys& keys) {
  return keys.offered && keys.taken ? *keys.offered : keys.number;
}

}  // namespace

void PoolPlanner::keep_up_gateway(const GatewayInputs& inputs) {
  if (seen_.is_foreign(Kind::kEdgeGateway, pool_) || (seen_.gateway != nullptr && seen_.gateway->leaving))
    return;
  const std::optional<EdgeGateway> spec = wanted_spec(inputs);
  if (!spec) return;
  const Text annotations = wanted_annotations(inputs);
  json object = edge_gateway_object(pool_, *spec, annotations);
  if (const auto read = decode_edge_gateway(JsonObject(&object, "")); !read) {
    return find(kObjectUsable, "WouldBeUnreadable",
                "the EdgeGateway is not written, as nobody could read it: " + read.error().message +
                    "; it stays as it is until the pool or the ConfigMap egw-controller tells otherwise");
  }
  bool same = seen_.gateway != nullptr && is_applied(Kind::kEdgeGateway, *seen_.gateway, object);
  for (const auto& [key, value] : annotations)
    same = same && value_in(seen_.gateway->annotations, key.c_str()) == value;
  if (!same) add_apply(Kind::kEdgeGateway, pool_, seen_.gateway, std::move(object));
}

std::optional<EdgeGateway> PoolPlanner::wanted_spec(const GatewayInputs& inputs) const {
  const std::optional<EdgeGateway> last = last_spec();
  if (!last && inputs.connection == nullptr) return std::nullopt;
  EdgeGateway out = seen_.is_bare() ? EdgeGateway{} : last.value_or(EdgeGateway{});
  if (inputs.connection != nullptr) {
    out = inputs.connection->gateway;
    out.pod_cidrs = inputs.request.pod_cidrs;
  }
  out.gateways = gateways();
  for (Gateway& each : out.gateways) complete(each, inputs);
  out.nodes = members();
  out.liveness.key_secret = liveness_name(pool_);
  return out;
}

Text PoolPlanner::wanted_annotations(const GatewayInputs& inputs) const {
  Text out = inputs.connection == nullptr ? kept_annotations() : inputs.request.accepted;
  const std::string number = key_number(inputs.keys);
  if (!number.empty()) out[kKeyNumberAnnotation] = number;
  if (inputs.tunnels) out[kTunnelsAnnotation] = encode_tunnels(*inputs.tunnels);
  return out;
}

std::string PoolPlanner::key_number(const Keys& keys) const {
  if (keys) return std::to_string(keys->offered.value_or(keys->number));
  return seen_.gateway == nullptr ? "" : value_in(seen_.gateway->annotations, kKeyNumberAnnotation);
}

void PoolPlanner::complete(Gateway& gateway, const GatewayInputs& inputs) const {
  if (inputs.tunnels) {
    gateway.tunnel = inputs.tunnels->number_of(gateway.name);
    const auto* addresses = find_in(inputs.tunnels->addresses, gateway.name);
    gateway.tunnel_addresses = addresses == nullptr ? std::vector<IpAddress>{} : *addresses;
  }
  gateway.public_keys = public_keys_of(gateway.name, inputs.keys);
}

/// The Secret's. When it holds those alone that were made anew, a published one that was lost goes before:
/// gateways run with it until both have others.
std::vector<std::string> PoolPlanner::public_keys_of(const std::string& gateway, const Keys& keys) const {
  std::vector<std::string> published;
  if (const std::optional<EdgeGateway> last = last_spec()) {
    const auto was = std::ranges::find(last->gateways, gateway, &Gateway::name);
    if (was != last->gateways.end()) published = was->public_keys;
  }
  if (!keys) return published;
  std::vector<std::string> out = keys->public_keys(gateway);
  if (out.size() != 1 || !seen_.started() || both_run_with(keys->number)) return out;
  const auto lost =
      std::ranges::find_if(published, [&](const std::string& key) { return key != out.front(); });
  if (lost != published.end()) out.insert(out.begin(), *lost);
  return out;
}

/// Those that are listed come first: a node that goes from the list takes its routes to the gateways away.
std::vector<PoolMember> PoolPlanner::members() const {
  std::set<std::string> listed;
  if (const std::optional<EdgeGateway> last = last_spec()) {
    for (const PoolMember& each : last->nodes) listed.insert(each.name);
  }
  std::vector<PoolMember> out;
  for (const bool earlier : {true, false}) {
    for (const auto& [name, node] : cluster_.nodes) {
      if (node.pool != pool_ || listed.contains(name) != earlier || out.size() == kMostNodes) continue;
      PoolMember member{.name = name, .pod_cidrs = node.pod_cidrs, .addresses = node.addresses};
      if (member.addresses.size() > kMostNodeAddresses) member.addresses.resize(kMostNodeAddresses);
      out.push_back(std::move(member));
    }
  }
  std::ranges::sort(out, {}, &PoolMember::name);
  return out;
}

PoolPlanner::Keys PoolPlanner::keep_up_objects(const Tunnels& tunnels) {
  Keys keys = keep_up_keys(tunnels);
  keep_up_liveness();
  keep_up_one(Kind::kBudget, pool_, seen_.budget, budget_object(options_.objects, pool_));
  if (!keys || seen_.liveness == nullptr) return keys;
  const std::uint64_t number = number_to_run_with(*keys);
  keep_up_cores(number);
  const bool both = std::ranges::all_of(seen_.cores, [](const auto& core) { return core.second != nullptr; });
  // a node whose helper is exchanged does not hear that a gateway goes
  if (seen_.helper == nullptr ? both : both_run_with(number)) {
    keep_up_one(Kind::kDaemonSet, helper_name(pool_), seen_.helper, helper_object(options_.objects, pool_));
  }
  return keys;
}

json PoolPlanner::core_of(const std::string& gateway, std::uint64_t key_number) const {
  const NodePool* pool = find_in(cluster_.pools, pool_);
  return core_object(options_.objects, pool_, gateway, key_number,
                     pool == nullptr ? std::set<std::string>{} : pool->taints);
}

bool PoolPlanner::both_run_with(std::uint64_t key_number) const {
  return std::ranges::all_of(seen_.cores, [&](const auto& core) {
    return core.second != nullptr && core.second->available &&
           core.second->wanted == wanted_of(core_of(core.first, key_number));
  });
}

bool PoolPlanner::may_work(const std::string& gateway, const SeenDeployment* core) const {
  if (core == nullptr || core->available) return core != nullptr;
  return std::ranges::any_of(cluster_.pods, [&](const auto& entry) {
    const CorePod& pod = entry.second;
    const PoolNode* node = find_in(cluster_.nodes, pod.node);
    return pod.pool == pool_ && pod.gateway == gateway && node != nullptr && !node->heard;
  });
}

void PoolPlanner::keep_up_cores(std::uint64_t key_number) {
  // the one that packets do not go by first
  std::vector<std::string> order{"b", "a"};
  if (seen_.gateway != nullptr && seen_.gateway->status.active == "b") std::ranges::reverse(order);
  for (const std::string& name : order) {
    const SeenDeployment* core = seen_.cores.at(name);
    const SeenDeployment* other = seen_.cores.at(name == "a" ? "b" : "a");
    json wanted = core_of(name, key_number);
    const bool other_works = other != nullptr && other->available;
    if (may_work(name, core) && !other_works) continue;
    const bool changes =
        keep_up_one(Kind::kDeployment, deployment_name(pool_, name), core, std::move(wanted));
    // one after the other, also of two that do not work: what is seen of them may be old
    if (core != nullptr && changes) return;
  }
}

bool PoolPlanner::keep_up_one(Kind kind, const std::string& name, const OwnedObject* seen, json wanted) {
  if (seen_.is_foreign(kind, name) || (seen != nullptr && seen->leaving)) return false;
  if (seen != nullptr && is_applied(kind, *seen, wanted)) return false;
  add_apply(kind, name, seen, std::move(wanted));
  return true;
}

bool PoolPlanner::is_applied(Kind kind, const OwnedObject& seen, const json& wanted) const {
  const std::int64_t* generation = find_in(memory_.applied, {kind, seen.id.name});
  return generation != nullptr && *generation == seen.generation && seen.wanted == wanted_of(wanted);
}

void PoolPlanner::add_apply(Kind kind, const std::string& name, const OwnedObject* seen, json object) {
  const std::string uid = seen == nullptr ? "" : seen->id.uid;
  if (!uid.empty()) object["metadata"]["uid"] = uid;
  out_.steps.push_back(
      {.verb = Verb::kApply, .kind = kind, .name = name, .object = std::move(object), .uid = uid});
}

}  // namespace holdfast::gateway
