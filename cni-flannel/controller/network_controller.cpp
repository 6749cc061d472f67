#include "cni-flannel/controller/network_controller.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "cni-flannel/controller/seen_nodes.h"
#include "cni-flannel/daemon/controller_conditions.h"
#include "cni-flannel/daemon/watched_nodes.h"

namespace holdfast::flannel {
namespace {

using std::chrono::nanoseconds;

kube::LeaderOptions lease_of(const NetworkController::Options& options) {
  kube::LeaderOptions out = options.lease;
  out.name_space = options.name_space;
  out.name = kNetworkController;
  out.identity = options.identity;
  return out;
}

PodRanges ranges_of(const kube::NodePool& pool) {
  PodRanges out;
  const auto text = [&pool](const char* key) {
    const auto found = pool.annotations.find(key);
    return found == pool.annotations.end() ? std::string() : found->second;
  };
  if (const std::string cidrs = text(kube::kPodCidrsAnnotation); !cidrs.empty()) {
    Result<std::vector<Cidr>> parsed = kube::parse_pod_cidrs(cidrs);
    if (!parsed) out.fault = std::string(kube::kPodCidrsAnnotation) + ": " + parsed.error().message;
    if (parsed) out.cidrs = *std::move(parsed);
  }
  if (const std::string most = text(kube::kMaxNodesAnnotation); !most.empty()) {
    const Result<std::uint32_t> parsed = kube::parse_max_nodes(most);
    if (parsed) out.most_nodes = *parsed;
    if (!parsed) out.fault = std::string(kube::kMaxNodesAnnotation) + ": " + parsed.error().message;
  }
  return out;
}

}  // namespace

template <class Object>
kube::ObjectCache<Object> NetworkController::cache(const char* what,
                                                   typename kube::ObjectCache<Object>::Decode decode,
                                                   std::function<bool(const Object&, const Object&)> same) {
  return kube::ObjectCache<Object>(std::move(decode),
                                   {.changed = [this](const std::string& name) { changed(name); },
                                    .same = std::move(same),
                                    .listed = [this] { watches_.listed(); },
                                    .trouble =
                                        [this, what](const Error& error) {
                                          context_.log.warning(what, {{"why", error.message}});
                                        }});
}

NetworkController::NetworkController(const Context& context, const Options& options)
    : context_(context),
      options_(options),
      nodes_(cache<SeenNode>(
          "Nodes",
          [keys = options.plan.keys](const JsonObject& object) { return decode_seen_node(object, keys); },
          same_but_version<SeenNode>)),
      objects_(
          cache<SeenObject>("NodeNetworkConfigurations", decode_seen_object, same_but_version<SeenObject>)),
      pools_(cache<kube::NodePool>("NodePools", kube::decode_node_pool, {})),
      watches_({.loop = context.loop, .http = context.http, .client = context.client},
               {.whole = [this] { changed(); },
                .absent =
                    [&log = context.log](const Error& error) {
                      log.warning("NodePools", {{"why", error.message}});
                    }},
               options.seed, options.ask_again),
      recorder_(context.loop, context.client, kNetworkController, options.host, options.seed + 20),
      election_(context.loop, context.client, lease_of(options),
                {.started = [this] { changed(); },
                 .stopped = [this] { cease(); },
                 .trouble =
                     [&log = context.log](const Error& error) {
                       log.warning("leader election", {{"why", error.message}});
                     }},
                options.seed + 30),
      last_seed_(options.seed + 40) {
  watches_.add({.resource = nodes(), .kept = seen_node_fields()}, nodes_);
  watches_.add({.resource = node_networks(), .kept = seen_object_fields()}, objects_);
  watches_.add({.resource = {.group = kube::kNodePoolGroup, .version = "", .plural = kube::kNodePoolPlural},
                .kept = kube::node_pool_fields(),
                .versions = {kube::kNodePoolVersions.begin(), kube::kNodePoolVersions.end()},
                .may_be_absent = true},
               pools_);
}

NetworkController::~NetworkController() = default;

void NetworkController::start() {
  watches_.start();
  election_.start();
}

void NetworkController::stop(std::function<void()> done) {
  cease();
  election_.resign(std::move(done));
}

// Another leads now, and what it does is not known here.
void NetworkController::cease() {
  works_.clear();
  under_way_ = 0;
  seen_.reset();
  changed_.clear();
  steps_.clear();
  untold_.clear();
  findings_.clear();
  show({});
}

// Not from within a watch's call.
void NetworkController::changed() { look_soon_in(options_.gather); }

// Whether somebody waits for what a look gives: pod CIDRs, or that they are known to be the node's.
bool NetworkController::is_awaited(const std::string& name) const {
  const SeenNode* node = nodes_.find(name);
  if (node == nullptr || !node->fault.empty()) return false;
  const SeenObject* object = objects_.find(name);
  return node->pod_cidrs.empty() || (object != nullptr && object->allotted != node->pod_cidrs);
}

void NetworkController::changed(const std::string& name) {
  if (seen_) changed_.insert(name);
  const nanoseconds rest = last_look_ + options_.between - now();
  look_soon_in(is_awaited(name) ? options_.gather : std::max<nanoseconds>(options_.gather, rest));
}

void NetworkController::look_soon_in(nanoseconds time) {
  const nanoseconds at = std::max(now() + time, rests_until_);
  if (soon_.pending() && soon_at_ <= at) return;
  soon_at_ = at;
  soon_ = context_.loop.after(at - now(), [this] { look(); });
}

void NetworkController::look_again_in(nanoseconds time) {
  const nanoseconds at = std::max(now() + time, rests_until_);
  if (later_.pending() && later_at_ <= at) return;
  later_at_ = at;
  later_ = context_.loop.after(at - now(), [this] { look(); });
}

void NetworkController::look() {
  if (!ready() || !leads()) return;
  const nanoseconds began = now();
  last_look_ = began;
  soon_.end();
  changed_.clear();
  seen_.emplace(sight());
  NetworkPlan plan = plan_networks(*seen_, options_.plan, context_.loop.clock().now());
  tell(*seen_, plan.findings);
  findings_ = std::move(plan.findings);
  // a node waits for its pod CIDRs, and for nothing else
  std::stable_partition(plan.steps.begin(), plan.steps.end(),
                        [](const NetworkStep& step) { return step.verb == NetworkVerb::kGiveCidrs; });
  steps_.assign(std::make_move_iterator(plan.steps.begin()), std::make_move_iterator(plan.steps.end()));
  untold_ = untold();
  const nanoseconds pass = now() - began;
  rests_until_ = now() + pass;
  if (plan.again_in) look_again_in(*plan.again_in);
  show(pass);
  write_waiting();
}

NetworkSight NetworkController::sight() {
  NetworkSight out{
      .nodes = nodes_.all(), .objects = objects_.all(), .pools = ranges(), .has_pools = pools_.is_whole()};
  keep_promises(out);
  see_strays(out);
  see_machines(out);
  return out;
}

std::map<std::string, PodRanges> NetworkController::ranges() {
  std::map<std::string, PodRanges> out;
  for (const auto& [name, pool] : pools_.all()) out[name] = ranges_of(pool);
  return out;
}

void NetworkController::keep_promises(NetworkSight& sight) {
  std::map<std::string, nanoseconds> seen;
  for (const auto& [name, node] : sight.nodes) {
    const auto work = works_.find(name);
    if (work != works_.end() && (!node.pod_cidrs.empty() || work->second.promised_to != node.id.uid)) {
      work->second.promised.clear();
    }
    if (!node.pod_cidrs.empty()) continue;
    const auto first = first_seen_.find(node.id.uid);
    const nanoseconds since = first == first_seen_.end() ? now() : first->second;
    seen[node.id.uid] = since;
    NodeMoment& moment = sight.moments[name];
    moment.known_for = std::chrono::floor<std::chrono::seconds>(now() - since);
    if (work != works_.end()) moment.promised = work->second.promised;
  }
  first_seen_ = std::move(seen);
  std::erase_if(works_, [&](const auto& work) {
    return work.second.call == nullptr && !sight.nodes.contains(work.first) &&
           !sight.objects.contains(work.first);
  });
}

void NetworkController::see_strays(NetworkSight& sight) {
  std::map<std::string, nanoseconds> seen;
  for (const auto& [name, object] : sight.objects) {
    const auto node = sight.nodes.find(name);
    if (node == sight.nodes.end() || !is_astray(node->second, object)) continue;
    const auto first = astray_since_.find(name);
    seen[name] = first == astray_since_.end() ? now() : first->second;
    sight.moments[name].astray_for = std::chrono::floor<std::chrono::seconds>(now() - seen[name]);
  }
  astray_since_ = std::move(seen);
}

void NetworkController::see_machines(NetworkSight& sight) {
  for (const auto& [name, contested_for] : machines_.look_at(sight.nodes, now())) {
    sight.moments[name].contested_for = contested_for;
  }
}

// An Event and a line of the log for each that the last look did not have.
void NetworkController::tell(const NetworkSight& sight, const Findings& findings) {
  for (const auto& [name, found] : findings) {
    const auto node = sight.nodes.find(name);
    const auto last = findings_.find(name);
    if (node == sight.nodes.end()) continue;
    for (const NodeFinding& each : found) {
      const bool known =
          last != findings_.end() && std::ranges::find(last->second, each) != last->second.end();
      if (known) continue;
      context_.log.warning("node", {{"node", name}, {"reason", each.reason}, {"why", each.message}});
      recorder_.record({.api_version = "v1",
                        .kind = "Node",
                        .name = name,
                        .name_space = "",
                        .uid = node->second.id.uid,
                        .warning = true,
                        .reason = each.reason,
                        .message = each.message});
    }
  }
}

void NetworkController::show(nanoseconds pass) {
  Metrics& metrics = context_.metrics;
  metrics.gauge("holdfast_flannel_leads", "1: this controller acts").set(leads() ? 1 : 0);
  metrics.gauge("holdfast_flannel_nodes", "Nodes of the cluster")
      .set(static_cast<double>(nodes_.all().size()));
  metrics.gauge("holdfast_flannel_pass_seconds", "How long the last look at all nodes took")
      .set(std::chrono::duration<double>(pass).count());
  std::map<std::string, double> counts;
  for (const auto& [node, found] : findings_) {
    for (const NodeFinding& each : found) counts[each.type] += 1;
  }
  for (const char* type : {kCidrsGiven, kCidrsUnique, kCidrsOfNode, kCidrsOfPool, kMacUnique, kAddressUnique,
                           kNameUnique, kAnnotationsUsable, kReadable, kPoolClear}) {
    metrics
        .gauge("holdfast_flannel_findings", "What is wrong with nodes, by condition", {{"condition", type}})
        .set(counts[type]);
  }
}

}  // namespace holdfast::flannel
