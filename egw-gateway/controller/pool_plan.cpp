#include "egw-gateway/controller/pool_plan.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "egw-gateway/controller/gateway_status.h"
#include "egw-gateway/controller/liveness_keys.h"
#include "egw-gateway/controller/pool_keys.h"
#include "egw-gateway/controller/pool_names.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestPool = 63;  // it is a label's value
constexpr std::size_t kFewestNodes = 2;

template <class Map>
const typename Map::mapped_type* find_in(const Map& map, const std::string& name) {
  const auto found = map.find(name);
  return found == map.end() ? nullptr : &found->second;
}

std::string value_in(const Text& text, const char* key) {
  const std::string* found = find_in(text, std::string(key));
  return found == nullptr ? "" : *found;
}

class Planner {
 public:
  Planner(const ClusterSight& cluster, const std::string& pool, const PoolMemory& memory,
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

  PoolPlan plan() {
    const NodePool* pool = find_in(cluster_.pools, pool_);
    if (pool != nullptr) request_ = read_request(*pool, kept_annotations());
    if (request_.enhanced) {
      keep_up();
    } else if (has_anything()) {
      let_go(pool != nullptr);
    }
    return std::move(out_);
  }

 private:
  // Null, and told, when it is somebody else's.
  template <class Map>
  const typename Map::mapped_type* ours(const Map& map, const std::string& name, Kind kind) {
    const auto* found = find_in(map, name);
    if (found == nullptr || found->pool == pool_) return found;
    foreign_.insert({kind, name});
    return nullptr;
  }

  [[nodiscard]] bool has_anything() const {
    return gateway_ != nullptr || keys_secret_ != nullptr || liveness_secret_ != nullptr ||
           budget_ != nullptr || helper_ != nullptr || started();
  }
  /// Packets may go by what stands.
  [[nodiscard]] bool started() const {
    return std::ranges::any_of(cores_, [](const auto& core) { return core.second != nullptr; });
  }

  [[nodiscard]] Text kept_annotations() const {
    Text out;
    if (gateway_ == nullptr) return out;
    for (const char* key : kEnhancedAnnotations) {
      const std::string value = value_in(gateway_->annotations, key);
      if (!value.empty()) out[key] = value;
    }
    return out;
  }

  void find(const char* type, const char* reason, std::string message) {
    out_.findings.push_back({type, reason, std::move(message)});
  }

  void keep_up() {
    out_.findings = request_.findings;
    if (pool_.size() > kLongestPool) {
      request_.usable = false;
      find(kAnnotationsUsable, "NameTooLong", "a pool with gateways has a name of 63 characters at most");
      return tell({});
    }
    const Connection* connection = look_for_connection();
    look_for_overlaps(connection);
    const bool enough = look_at_nodes();
    for (const auto& [kind, name] : foreign_) {
      find(
          kObjectsOwned, "ForeignObject",
          std::string(to_string(kind)) + " " + name + " is not ours, and is left alone: rename or delete it");
    }
    look_for_tunnels();
    const bool sound = request_.usable && connection != nullptr && disjoint_ && out_.tunnels;
    if (started() || (sound && enough && gateway_ != nullptr)) keep_up_objects();
    keep_up_gateway(sound ? connection : nullptr);
    look_at_gateways();
    tell(gateways());
  }

  // As kept with the EdgeGateway, else with the keys, else given now.
  void look_for_tunnels() {
    for (const Text* kept : {gateway_ == nullptr ? nullptr : &gateway_->annotations,
                             keys_secret_ == nullptr ? nullptr : &keys_secret_->annotations}) {
      const std::string text = kept == nullptr ? "" : value_in(*kept, kTunnelsAnnotation);
      Result<PoolTunnels> read = decode_tunnels(text);
      if (!read) continue;
      out_.tunnels = *std::move(read);
      return;
    }
    if (const PoolTunnels* given = find_in(cluster_.given, pool_)) {
      out_.tunnels = *given;
      return;
    }
    Result<PoolTunnels> given = give_tunnels(options_.tunnel_ranges, taken_tunnels());
    if (!given) return find(kTunnelsGiven, "TunnelsExhausted", given.error().message);
    out_.tunnels = *std::move(given);
  }

  [[nodiscard]] TakenTunnels taken_tunnels() const {
    TakenTunnels out;
    const auto add = [&](const Text& annotations) {
      const Result<PoolTunnels> read = decode_tunnels(value_in(annotations, kTunnelsAnnotation));
      if (read) out.add(*read);
    };
    for (const auto& [name, given] : cluster_.given) out.add(given);
    for (const auto& [name, secret] : cluster_.secrets) add(secret.annotations);
    for (const auto& [name, other] : cluster_.gateways) {
      add(other.annotations);
      for (const Gateway& each : other.spec.gateways) {
        if (each.tunnel) out.numbers.insert(*each.tunnel);
        out.addresses.insert(each.tunnel_addresses.begin(), each.tunnel_addresses.end());
      }
      for (const AccessPoint& point : other.spec.access_points) {
        out.addresses.insert(point.tunnel_addresses.begin(), point.tunnel_addresses.end());
      }
    }
    if (!cluster_.connections) return out;
    for (const Connection& each : *cluster_.connections) {
      for (const AccessPoint& point : each.gateway.access_points) {
        out.addresses.insert(point.tunnel_addresses.begin(), point.tunnel_addresses.end());
      }
    }
    return out;
  }

  const Connection* look_for_connection() {
    if (!cluster_.connections) {
      find(kConnectionKnown, "ConfigurationInvalid",
           "ConfigMap egw-controller: " + cluster_.connections.error().message);
      return nullptr;
    }
    if (!request_.usable) return nullptr;
    const Connection* found =
        find_connection(*cluster_.connections, request_.cen_id, request_.ccn_id, request_.ccn_region);
    if (found == nullptr) {
      find(kConnectionKnown, "ConnectionUnknown",
           "ConfigMap egw-controller has no connection with cenId " + request_.cen_id + ", ccnId " +
               request_.ccn_id + " and ccnRegion " + request_.ccn_region +
               ": add it, with its VPC's ranges and access points");
    }
    return found;
  }

  void look_for_overlaps(const Connection* connection) {
    std::vector<Cidr> cloud;
    if (connection != nullptr) {
      cloud = connection->gateway.vpc_cidrs;
      const std::vector<Cidr>& pods = connection->gateway.cloud_pod_cidrs;
      cloud.insert(cloud.end(), pods.begin(), pods.end());
    }
    std::vector<OtherRange> others;
    for (const auto& [name, other] : cluster_.gateways) {
      if (name == pool_) continue;
      for (const Cidr& range : other.spec.pod_cidrs) others.push_back({name, range});
    }
    std::vector<const PoolNode*> nodes;
    for (const auto& [name, node] : cluster_.nodes) {
      if (node.pool == pool_) nodes.push_back(&node);
    }
    std::vector<Finding> found = find_overlaps(request_.pod_cidrs, cloud, others, nodes);
    disjoint_ = found.empty();
    out_.findings.insert(out_.findings.end(), found.begin(), found.end());
  }

  bool look_at_nodes() {
    std::size_t all = 0;
    std::size_t fit = 0;
    for (const auto& [name, node] : cluster_.nodes) {
      const bool wanted_here = std::ranges::find(node.desired, pool_) != node.desired.end();
      if (node.pool != pool_ && !wanted_here) continue;
      const bool in_place = look_at_labels(node);
      if (node.pool != pool_) continue;
      ++all;
      if (in_place && node.arch == kGatewayArch && !node.leaving) ++fit;
    }
    look_for_moved_gateways();
    if (request_.max_nodes != 0 && all > request_.max_nodes) {
      find(kNodesSuffice, "TooManyNodes",
           "the pool has " + std::to_string(all) + " nodes, and " + kMaxNodesAnnotation + " is " +
               std::to_string(request_.max_nodes) + ": take nodes out of it");
    }
    if (fit < kFewestNodes) {
      find(kNodesSuffice, "TooFewNodes",
           "the pool has " + std::to_string(fit) + " fit nodes of architecture " + kGatewayArch +
               " and needs 2: add nodes");
    }
    return fit >= kFewestNodes;
  }

  bool look_at_labels(const PoolNode& node) {
    std::set<std::string> pools(node.desired.begin(), node.desired.end());
    if (!node.pool.empty()) pools.insert(node.pool);
    if (pools.size() < 2) return true;
    std::string names;
    for (const std::string& each : pools) names += (names.empty() ? "" : ", ") + each;
    find(kNodesInPlace, "NodeMoved",
         "the labels of node " + node.id.name + " name several pools (" + names +
             "): take it out of the cluster, and join it anew to one of them");
    return false;
  }

  void look_for_moved_gateways() {
    if (gateway_ == nullptr) return;
    for (const Gateway& each : gateway_->spec.gateways) {
      const PoolNode* node = find_in(cluster_.nodes, each.node);
      if (node != nullptr && node->pool == pool_) continue;
      find(kNodesInPlace, "NodeMoved",
           "gateway " + each.name + " is on node " + each.node +
               ", which is not in the pool any more: delete its pod when the other gateway works");
    }
  }

  void look_at_gateways() {
    ready_ = ready_gateways(pool_, cluster_.pods);
    if (ready_.size() == kGateways.size()) return;
    if (!started()) {
      return find(kGatewaysReady, "NotStarted",
                  "the pool has no gateways until the other conditions are True");
    }
    std::string down;
    for (const char* name : kGateways) {
      if (std::ranges::find(ready_, name) == ready_.end())
        down += (down.empty() ? "" : ", ") + deployment_name(pool_, name);
    }
    find(kGatewaysReady, ready_.empty() ? "GatewaysDown" : "GatewayDown",
         "not ready: Deployment " + down + "; its pod's events and log tell why");
  }

  [[nodiscard]] std::vector<Gateway> gateways() const {
    return gateways_of(pool_, cluster_.pods,
                       gateway_ == nullptr ? std::vector<Gateway>{} : gateway_->spec.gateways);
  }

  /// `connection`: none while something is wrong; then ranges stay as they are.
  void keep_up_gateway(const Connection* connection) {
    if (is_foreign(Kind::kEdgeGateway, pool_) || (gateway_ != nullptr && gateway_->leaving)) return;
    EdgeGateway spec = gateway_ == nullptr ? EdgeGateway{} : gateway_->spec;
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
    bool same = gateway_ != nullptr && is_applied(Kind::kEdgeGateway, *gateway_, object);
    for (const auto& [key, value] : annotations)
      same = same && value_in(gateway_->annotations, key.c_str()) == value;
    if (!same) add_apply(Kind::kEdgeGateway, pool_, gateway_, std::move(object));
  }

  // What access points need of a gateway. Lost keys stay published until there are others.
  void complete(Gateway& gateway) const {
    if (out_.tunnels) {
      gateway.tunnel = out_.tunnels->number_of(gateway.name);
      const auto* addresses = gateway::find_in(out_.tunnels->addresses, gateway.name);
      gateway.tunnel_addresses = addresses == nullptr ? std::vector<IpAddress>{} : *addresses;
    }
    if (keys_) {
      gateway.public_keys = keys_->public_keys(gateway.name);
    } else if (gateway_ != nullptr) {
      const auto& last = gateway_->spec.gateways;
      const auto was = std::ranges::find(last, gateway.name, &Gateway::name);
      if (was != last.end()) gateway.public_keys = was->public_keys;
    }
  }

  // By which gateways tell nodes' packets from pods'.
  [[nodiscard]] std::vector<PoolMember> members() const {
    std::vector<PoolMember> out;
    for (const auto& [name, node] : cluster_.nodes) {
      if (node.pool != pool_ || out.size() == kMostNodes) continue;
      PoolMember member{.name = name, .pod_cidrs = node.pod_cidrs, .addresses = node.addresses};
      if (member.addresses.size() > kMostNodeAddresses) member.addresses.resize(kMostNodeAddresses);
      out.push_back(std::move(member));
    }
    return out;
  }

  // What is known of lost keys is what tells their successors' number.
  void tell_key_number(Text& annotations) const {
    std::string number = gateway_ == nullptr ? "" : value_in(gateway_->annotations, kKeyNumberAnnotation);
    if (keys_) number = std::to_string(keys_->offered.value_or(keys_->number));
    if (!number.empty()) annotations[kKeyNumberAnnotation] = number;
  }

  void keep_up_objects() {
    keep_up_keys();
    keep_up_liveness();
    keep_up_one(Kind::kBudget, pool_, budget_, budget_object(options_.objects, pool_));
    if (!keys_ || liveness_secret_ == nullptr) return;
    keep_up_cores();
    const bool both = std::ranges::all_of(cores_, [](const auto& core) { return core.second != nullptr; });
    if (both || helper_ != nullptr) {
      keep_up_one(Kind::kDaemonSet, helper_name(pool_), helper_, helper_object(options_.objects, pool_));
    }
  }

  void keep_up_keys() {
    const std::string name = keys_name(pool_);
    if (is_foreign(Kind::kSecret, name)) return;
    if (keys_secret_ == nullptr) return make_keys(name);
    Result<PoolKeys> keys = read_keys(*keys_secret_);
    if (!keys) return find(kKeysUsable, "KeysDamaged", keys.error().message);
    keys_ = *std::move(keys);
    if (keys_secret_->leaving || gateway_ == nullptr) return;
    const std::string word = value_in(gateway_->annotations, kRotateAnnotation);
    if (!keys_->offered && !word.empty() && word != keys_->rotated_for) {
      replace_keys(with_offer(*keys_, word, fresh_));
    } else if (keys_->offered && takes_offer() && both_run_with(*keys_->offered)) {
      replace_keys(with_offer_taken(*keys_));
    }
  }

  void keep_up_liveness() {
    const std::string name = liveness_name(pool_);
    if (is_foreign(Kind::kSecret, name)) return;
    if (liveness_secret_ == nullptr) {
      const LivenessKeys first{.keys = {.send = {1, fresh_.liveness}, .also_accepted = {}}};
      return create_secret(name, annotations_of(first), data_of(first));
    }
    const Result<LivenessKeys> held = read_liveness(*liveness_secret_);
    if (!held) return find(kKeysUsable, "KeysDamaged", held.error().message);
    if (liveness_secret_->leaving || gateway_ == nullptr) return;
    const std::chrono::sys_seconds now = parse_utc(now_).value_or(std::chrono::sys_seconds{});
    const std::string word = value_in(gateway_->annotations, kRotateAnnotation);
    const auto next = next_liveness(*held, word, fresh_.liveness, now, options_.key_overlap);
    if (next) replace_secret(*liveness_secret_, annotations_of(*next), data_of(*next));
    out_.again_in = liveness_waits(next.value_or(*held), now, options_.key_overlap);
  }

  void make_keys(const std::string& name) {
    std::uint64_t number = 1;
    const std::string last = gateway_ == nullptr ? "" : value_in(gateway_->annotations, kKeyNumberAnnotation);
    if (!last.empty()) {
      number = std::strtoull(last.c_str(), nullptr, 10) + 1;
      find(kKeysUsable, "KeysLost",
           "Secret " + name +
               " is gone, and new keys are made: nothing passes until the access points have them");
    }
    const PoolKeys keys = first_keys(number, fresh_);
    create_secret(name, with_tunnels(annotations_of(keys)), data_of(keys));
  }

  void create_secret(const std::string& name, const Text& annotations, const Text& data) {
    out_.steps.push_back({.verb = Verb::kCreate,
                          .kind = Kind::kSecret,
                          .name = name,
                          .object = secret_object(options_.objects, pool_, name, annotations, data)});
  }

  [[nodiscard]] Text with_tunnels(Text annotations) const {
    if (out_.tunnels) annotations[kTunnelsAnnotation] = encode_tunnels(*out_.tunnels);
    return annotations;
  }

  void replace_keys(const PoolKeys& keys) {
    replace_secret(*keys_secret_, with_tunnels(annotations_of(keys)), data_of(keys));
  }

  void replace_secret(const SeenSecret& seen, const Text& annotations, const Text& data) {
    json object = secret_object(options_.objects, pool_, seen.id.name, annotations, data);
    object["metadata"]["uid"] = seen.id.uid;
    object["metadata"]["resourceVersion"] = seen.id.resource_version;
    out_.steps.push_back({.verb = Verb::kReplace,
                          .kind = Kind::kSecret,
                          .name = seen.id.name,
                          .object = std::move(object),
                          .uid = seen.id.uid});
  }

  [[nodiscard]] bool takes_offer() const {
    return gateway_ != nullptr && keys_->offered &&
           value_in(gateway_->annotations, kAcceptedAnnotation) == std::to_string(*keys_->offered);
  }

  [[nodiscard]] json core_of(const std::string& gateway, std::uint64_t number) const {
    return core_object(options_.objects, pool_, gateway, number);
  }

  [[nodiscard]] bool both_run_with(std::uint64_t number) const {
    return std::ranges::all_of(cores_, [&](const auto& core) {
      return core.second != nullptr && core.second->available &&
             core.second->wanted == wanted_of(core_of(core.first, number));
    });
  }

  void keep_up_cores() {
    const std::uint64_t number = takes_offer() ? *keys_->offered : keys_->number;
    // the one that packets do not go by first
    std::vector<std::string> order{"b", "a"};
    if (gateway_ != nullptr && gateway_->status.active == "b") std::ranges::reverse(order);
    for (const std::string& name : order) {
      const SeenDeployment* core = cores_[name];
      const SeenDeployment* other = cores_[name == "a" ? "b" : "a"];
      json wanted = core_of(name, number);
      const bool works = core != nullptr && core->available;
      const bool other_works = other != nullptr && other->available;
      if (works && !other_works) continue;
      const std::size_t before = out_.steps.size();
      keep_up_one(Kind::kDeployment, deployment_name(pool_, name), core, std::move(wanted));
      if (works && out_.steps.size() > before) return;  // one after the other
    }
  }

  void keep_up_one(Kind kind, const std::string& name, const OwnedObject* seen, json wanted) {
    if (is_foreign(kind, name) || (seen != nullptr && seen->leaving)) return;
    if (seen == nullptr || !is_applied(kind, *seen, wanted)) add_apply(kind, name, seen, std::move(wanted));
  }

  [[nodiscard]] bool is_foreign(Kind kind, const std::string& name) const {
    return foreign_.contains({kind, name});
  }

  [[nodiscard]] bool is_applied(Kind kind, const OwnedObject& seen, const json& wanted) const {
    const std::int64_t* generation = find_in(memory_.applied, {kind, seen.id.name});
    return generation != nullptr && *generation == seen.generation && seen.wanted == wanted_of(wanted);
  }

  static const std::int64_t* find_in(const std::map<ObjectKey, std::int64_t>& map, const ObjectKey& key) {
    const auto found = map.find(key);
    return found == map.end() ? nullptr : &found->second;
  }
  template <class Map>
  static const typename Map::mapped_type* find_in(const Map& map, const std::string& name) {
    return gateway::find_in(map, name);
  }

  void add_apply(Kind kind, const std::string& name, const OwnedObject* seen, json object) {
    const std::string uid = seen == nullptr ? "" : seen->id.uid;
    if (!uid.empty()) object["metadata"]["uid"] = uid;
    out_.steps.push_back(
        {.verb = Verb::kApply, .kind = kind, .name = name, .object = std::move(object), .uid = uid});
  }

  // Conditions, and what of them is new.
  void tell(const std::vector<Gateway>& gateways) {
    const EdgeGatewayStatus last = gateway_ == nullptr ? EdgeGatewayStatus{} : gateway_->status;
    const EdgeGatewayStatus now = status_of(last, gateway_ == nullptr ? 0 : gateway_->generation, gateways,
                                            ready_, out_.findings, now_);
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

  void let_go(bool pool_there) {
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

  void tell_as_it_is() {
    look_at_gateways();
    tell(gateways());
  }

  void add_remove(Kind kind, const OwnedObject* seen) {
    if (seen == nullptr || seen->leaving) return;
    out_.steps.push_back(
        {.verb = Verb::kRemove, .kind = kind, .name = seen->id.name, .object = {}, .uid = seen->id.uid});
  }

  const ClusterSight& cluster_;
  const std::string& pool_;
  const PoolMemory& memory_;
  const PlanOptions& options_;
  const FreshKeys& fresh_;
  const std::string& now_;
  std::set<ObjectKey> foreign_;
  const SeenGateway* gateway_ = nullptr;
  const SeenSecret* keys_secret_ = nullptr;
  const SeenSecret* liveness_secret_ = nullptr;
  const OwnedObject* budget_ = nullptr;
  const OwnedObject* helper_ = nullptr;
  std::map<std::string, const SeenDeployment*> cores_;
  PoolRequest request_;
  bool disjoint_ = false;
  std::optional<PoolKeys> keys_;
  std::vector<std::string> ready_;
  PoolPlan out_;
};

}  // namespace

const char* to_string(Kind kind) {
  switch (kind) {
    case Kind::kEdgeGateway:
      return "EdgeGateway";
    case Kind::kSecret:
      return "Secret";
    case Kind::kBudget:
      return "PodDisruptionBudget";
    case Kind::kDeployment:
      return "Deployment";
    case Kind::kDaemonSet:
      return "DaemonSet";
  }
  return "";
}

std::vector<std::string> pools_of(const ClusterSight& cluster) {
  std::set<std::string> names;
  for (const auto& [name, pool] : cluster.pools) names.insert(name);
  const auto add_owned = [&](const auto& objects) {
    for (const auto& [name, object] : objects) {
      if (!object.pool.empty()) names.insert(object.pool);
    }
  };
  add_owned(cluster.gateways);
  add_owned(cluster.deployments);
  add_owned(cluster.helpers);
  add_owned(cluster.budgets);
  add_owned(cluster.secrets);
  return {names.begin(), names.end()};
}

PoolPlan plan_pool(const ClusterSight& cluster, const std::string& pool, const PoolMemory& memory,
                   const PlanOptions& options, const FreshKeys& fresh, const std::string& now) {
  return Planner(cluster, pool, memory, options, fresh, now).plan();
}

}  // namespace holdfast::gateway
