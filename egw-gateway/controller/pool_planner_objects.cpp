#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "egw-gateway/controller/liveness_keys.h"
#include "egw-gateway/controller/pool_names.h"
#include "egw-gateway/controller/pool_planner.h"
#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

}  // namespace

void PoolPlanner::keep_up_gateway(const Connection* connection) {
  if (is_foreign(Kind::kEdgeGateway, pool_) || (gateway_ != nullptr && gateway_->leaving)) return;
  const std::optional<EdgeGateway> last = last_spec();
  if (!last && connection == nullptr) return;  // nothing is known that could be put back
  EdgeGateway spec = is_bare() ? EdgeGateway{} : last.value_or(EdgeGateway{});
  Text annotations = kept_annotations();
  if (connection != nullptr) {
    spec = connection->gateway;
    spec.pod_cidrs = request_.pod_cidrs;
    annotations = request_.accepted;
  }
  spec.gateways = gateways();
  for (Gateway& each : spec.gateways) complete(each);
  spec.nodes = members();
  spec.liveness.key_secret = liveness_name(pool_);
  tell_key_number(annotations);
  if (out_.tunnels) annotations[kTunnelsAnnotation] = encode_tunnels(*out_.tunnels);
  json object = edge_gateway_object(pool_, spec, annotations);
  if (const auto read = decode_edge_gateway(JsonObject(&object, "")); !read) {
    return find(kObjectUsable, "WouldBeUnreadable",
                "the EdgeGateway is not written, as nobody could read it: " + read.error().message +
                    "; it stays as it is until the pool or the ConfigMap egw-controller tells otherwise");
  }
  bool same = gateway_ != nullptr && is_applied(Kind::kEdgeGateway, *gateway_, object);
  for (const auto& [key, value] : annotations)
    same = same && value_in(gateway_->annotations, key.c_str()) == value;
  if (!same) add_apply(Kind::kEdgeGateway, pool_, gateway_, std::move(object));
}

void PoolPlanner::complete(Gateway& gateway) const {
  if (out_.tunnels) {
    gateway.tunnel = out_.tunnels->number_of(gateway.name);
    const auto* addresses = gateway::find_in(out_.tunnels->addresses, gateway.name);
    gateway.tunnel_addresses = addresses == nullptr ? std::vector<IpAddress>{} : *addresses;
  }
  gateway.public_keys = public_keys_of(gateway.name);
}

/// The Secret's. When it holds those alone that were made anew, a published one that was lost goes before:
/// gateways run with it until both have others.
std::vector<std::string> PoolPlanner::public_keys_of(const std::string& gateway) const {
  std::vector<std::string> published;
  if (const std::optional<EdgeGateway> last = last_spec()) {
    const auto was = std::ranges::find(last->gateways, gateway, &Gateway::name);
    if (was != last->gateways.end()) published = was->public_keys;
  }
  if (!keys_) return published;
  std::vector<std::string> out = keys_->public_keys(gateway);
  if (out.size() != 1 || !started() || both_run_with(keys_->number)) return out;
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

void PoolPlanner::tell_key_number(Text& annotations) const {
  std::string number = gateway_ == nullptr ? "" : value_in(gateway_->annotations, kKeyNumberAnnotation);
  if (keys_) number = std::to_string(keys_->offered.value_or(keys_->number));
  if (!number.empty()) annotations[kKeyNumberAnnotation] = number;
}

void PoolPlanner::keep_up_objects() {
  keep_up_keys();
  keep_up_liveness();
  keep_up_one(Kind::kBudget, pool_, budget_, budget_object(options_.objects, pool_));
  if (!keys_ || liveness_secret_ == nullptr) return;
  keep_up_cores();
  const bool both = std::ranges::all_of(cores_, [](const auto& core) { return core.second != nullptr; });
  // a node whose helper is exchanged does not hear that a gateway goes
  if (helper_ == nullptr ? both : both_run_with(takes_offer() ? *keys_->offered : keys_->number)) {
    keep_up_one(Kind::kDaemonSet, helper_name(pool_), helper_, helper_object(options_.objects, pool_));
  }
}

void PoolPlanner::keep_up_keys() {
  const std::string name = keys_name(pool_);
  if (is_foreign(Kind::kSecret, name)) return;
  if (keys_secret_ == nullptr) return make_keys(name);
  Result<PoolKeys> keys = read_keys(*keys_secret_);
  if (!keys) return find(kKeysUsable, "KeysDamaged", keys.error().message);
  keys_ = *std::move(keys);
  if (keys_secret_->leaving || gateway_ == nullptr) return;
  if (!keys_->offered) return look_at_age(value_in(gateway_->annotations, kRotateAnnotation));
  if (!keys_->taken) return look_at_offer();
  if (both_run_with(*keys_->offered)) replace_keys(with_offer_taken(*keys_));
}

void PoolPlanner::look_at_age(const std::string& word) {
  const bool asked = !word.empty() && word != keys_->rotated_for;
  if (!keys_->changed && !asked) {  // of a version before: counted from now on
    PoolKeys counted = *keys_;
    counted.changed = clock();
    return replace_keys(counted);
  }
  const bool ages = options_.key_lifetime.count() != 0;
  // a clock that was set back waits for a lifetime at most
  const auto age = std::max(std::chrono::seconds(0), clock() - keys_->changed.value_or(clock()));
  if (asked || (ages && age >= options_.key_lifetime)) {
    replace_keys(with_offer(*keys_, asked ? word : keys_->rotated_for, fresh_, clock()));
  } else if (ages) {
    look_again_in(options_.key_lifetime - age);
  }
}

void PoolPlanner::look_at_offer() {
  const std::string number = std::to_string(*keys_->offered);
  const std::vector<std::string> slow = slow_access_points();
  if (slow.empty() || value_in(gateway_->annotations, kAcceptedAnnotation) == number) {
    PoolKeys taken = *keys_;
    taken.taken = true;
    return replace_keys(taken);
  }
  const auto since = clock() - keys_->changed.value_or(clock() - kOfferTime);
  if (since < kOfferTime) return look_again_in(kOfferTime - std::max(std::chrono::seconds(0), since));
  std::string names;
  for (const std::string& each : slow) names += (names.empty() ? "" : ", ") + each;
  find(kKeysCurrent, "OfferWaits",
       "keys " + number + " wait for access points that do not say that they take them (" + names +
           "): they are to run, and to hear the API server; where they cannot, annotate the EdgeGateway "
           "with " +
           kAcceptedAnnotation + "=" + number + " when they have its publicKeys");
}

std::vector<std::string> PoolPlanner::slow_access_points() const {
  std::vector<std::string> out;
  for (const AccessPoint& point : last_spec().value_or(EdgeGateway{}).access_points) {
    const auto* taken = gateway::find_in(gateway_->taken_keys, point.name);
    const bool all = std::ranges::all_of(kGateways, [&](const char* gateway) {
      return taken != nullptr && taken->contains(keys_->public_keys(gateway).back());
    });
    if (!all) out.push_back(point.name);
  }
  return out;
}

std::chrono::sys_seconds PoolPlanner::clock() const {
  return parse_utc(now_).value_or(std::chrono::sys_seconds{});
}

void PoolPlanner::look_again_in(std::optional<std::chrono::nanoseconds> time) {
  if (time) out_.again_in = std::min(*time, out_.again_in.value_or(*time));
}

void PoolPlanner::keep_up_liveness() {
  const std::string name = liveness_name(pool_);
  if (is_foreign(Kind::kSecret, name)) return;
  if (liveness_secret_ == nullptr) {
    const LivenessKeys first{.keys = {.send = {1, fresh_.liveness}, .also_accepted = {}}};
    return create_secret(name, annotations_of(first), data_of(first));
  }
  const Result<LivenessKeys> held = read_liveness(*liveness_secret_);
  if (!held) return find(kKeysUsable, "KeysDamaged", held.error().message);
  if (liveness_secret_->leaving || gateway_ == nullptr) return;
  const std::chrono::sys_seconds now = clock();
  const std::string word = value_in(gateway_->annotations, kRotateAnnotation);
  const auto next = next_liveness(*held, word, fresh_.liveness, now, options_.key_overlap);
  if (next) replace_secret(*liveness_secret_, annotations_of(*next), data_of(*next));
  look_again_in(liveness_waits(next.value_or(*held), now, options_.key_overlap));
}

void PoolPlanner::make_keys(const std::string& name) {
  std::uint64_t number = 1;
  const std::string last = gateway_ == nullptr ? "" : value_in(gateway_->annotations, kKeyNumberAnnotation);
  if (!last.empty()) {
    number = std::strtoull(last.c_str(), nullptr, 10) + 1;
    find(kKeysUsable, "KeysLost",
         "Secret " + name +
             " is gone, and new keys are made: packets go on by the lost ones until both gateways have "
             "others");
  }
  const PoolKeys keys = first_keys(number, fresh_, clock());
  create_secret(name, with_tunnels(annotations_of(keys)), data_of(keys));
}

void PoolPlanner::create_secret(const std::string& name, const Text& annotations, const Text& data) {
  out_.steps.push_back({.verb = Verb::kCreate,
                        .kind = Kind::kSecret,
                        .name = name,
                        .object = secret_object(options_.objects, pool_, name, annotations, data)});
}

Text PoolPlanner::with_tunnels(Text annotations) const {
  if (out_.tunnels) annotations[kTunnelsAnnotation] = encode_tunnels(*out_.tunnels);
  return annotations;
}

void PoolPlanner::replace_keys(const PoolKeys& keys) {
  replace_secret(*keys_secret_, with_tunnels(annotations_of(keys)), data_of(keys));
}

void PoolPlanner::replace_secret(const SeenSecret& seen, const Text& annotations, const Text& data) {
  json object = secret_object(options_.objects, pool_, seen.id.name, annotations, data);
  object["metadata"]["uid"] = seen.id.uid;
  object["metadata"]["resourceVersion"] = seen.id.resource_version;
  out_.steps.push_back({.verb = Verb::kReplace,
                        .kind = Kind::kSecret,
                        .name = seen.id.name,
                        .object = std::move(object),
                        .uid = seen.id.uid});
}

bool PoolPlanner::takes_offer() const { return keys_->offered && keys_->taken; }

json PoolPlanner::core_of(const std::string& gateway, std::uint64_t number) const {
  const NodePool* pool = find_in(cluster_.pools, pool_);
  return core_object(options_.objects, pool_, gateway, number,
                     pool == nullptr ? std::set<std::string>{} : pool->taints);
}

bool PoolPlanner::both_run_with(std::uint64_t number) const {
  return std::ranges::all_of(cores_, [&](const auto& core) {
    return core.second != nullptr && core.second->available &&
           core.second->wanted == wanted_of(core_of(core.first, number));
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

void PoolPlanner::keep_up_cores() {
  const std::uint64_t number = takes_offer() ? *keys_->offered : keys_->number;
  // the one that packets do not go by first
  std::vector<std::string> order{"b", "a"};
  if (gateway_ != nullptr && gateway_->status.active == "b") std::ranges::reverse(order);
  for (const std::string& name : order) {
    const SeenDeployment* core = cores_[name];
    const SeenDeployment* other = cores_[name == "a" ? "b" : "a"];
    json wanted = core_of(name, number);
    const bool other_works = other != nullptr && other->available;
    if (may_work(name, core) && !other_works) continue;
    const std::size_t before = out_.steps.size();
    keep_up_one(Kind::kDeployment, deployment_name(pool_, name), core, std::move(wanted));
    // one after the other, also of two that do not work: what is seen of them may be old
    if (core != nullptr && out_.steps.size() > before) return;
  }
}

void PoolPlanner::keep_up_one(Kind kind, const std::string& name, const OwnedObject* seen, json wanted) {
  if (is_foreign(kind, name) || (seen != nullptr && seen->leaving)) return;
  if (seen == nullptr || !is_applied(kind, *seen, wanted)) add_apply(kind, name, seen, std::move(wanted));
}

bool PoolPlanner::is_foreign(Kind kind, const std::string& name) const {
  return foreign_.contains({kind, name});
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
