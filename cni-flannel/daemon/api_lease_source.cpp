#include "cni-flannel/daemon/api_lease_source.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cni-flannel/daemon/node_network_names.h"

namespace holdfast::flannel {
namespace {

using nlohmann::json;

// Then it is told that nobody answers, and asked again.
constexpr std::chrono::milliseconds kPatience{10'000};
constexpr std::chrono::milliseconds kFirstRetry{500};
constexpr std::chrono::seconds kLongestRetry{60};

kube::Resource name_spaces() { return {.version = "v1", .plural = "namespaces"}; }

bool has_node_networks(const json& discovery) {
  const auto resources = discovery.find("resources");
  return resources != discovery.end() && resources->is_array() &&
         std::ranges::any_of(*resources, [](const json& resource) {
           return resource.is_object() && resource.value("name", json()) == kNodeNetworkPlural;
         });
}

}  // namespace

ApiLeaseSource::ApiLeaseSource(EventLoop& loop, kube::Http& http, kube::ObjectClient& client,
                               ApiLeaseOptions options)
    : loop_(loop),
      http_(http),
      client_(client),
      options_(std::move(options)),
      own_(loop, client, options_.node, options_.keys, options_.set_network_condition,
           {.told = [this](NodeNetworkObject node) { consumer_->upsert(std::move(node)); },
            .judged = [this](const std::vector<Condition>& conditions) { consumer_->judged(conditions); },
            .trouble =
                [this](const std::string& trouble) {
                  own_trouble_ = trouble;
                  tell_health();
                }},
           options_.seed + 1),
      recorder_(loop, client, "flanneld", options_.node, options_.seed + 2),
      events_(loop, recorder_, options_.node, options_.status_settles),
      next_seed_(options_.seed + 4),
      cluster_retry_(kFirstRetry, kLongestRetry, options_.seed + 3) {}

Status ApiLeaseSource::start(LeaseConsumer& consumer) {
  consumer_ = &consumer;
  memory_ = consumer.memory();
  ask_for_cluster();
  return {};
}

void ApiLeaseSource::ask_for_cluster() {
  call_ = client_.get(name_spaces(), "kube-system", [this](const Result<json>& read) { cluster_read(read); },
                      {.deadline = kPatience});
}

void ApiLeaseSource::look_again() {
  if (state_ != State::kNodesUntilKind || call_) return;
  ask_for_kind_.end();
  ask_for_kind();
}

void ApiLeaseSource::publish(const NodeNetwork& own, const NodeNetworkStatus& status) {
  own_.publish(own, status);
}

void ApiLeaseSource::refuse(const Condition& why, std::function<void()> done) {
  events_.record(why);
  recorder_.when_written(kFarewell, std::move(done));
}

/// A cluster whose name we may not read, as upstream's role has it, is taken for the one that is stored.
void ApiLeaseSource::cluster_read(const Result<json>& name_space) {
  call_.reset();
  const bool refused = !name_space && (name_space.error().code == Code::kPermissionDenied ||
                                       name_space.error().code == Code::kNotFound);
  cluster_trouble_ = name_space || refused ? "" : name_space.error().message;
  if (!cluster_trouble_.empty()) {
    tell_health();
    // what answers may be somebody else: a captive portal, a proxy that wants a login
    ask_for_cluster_ = loop_.after(kFirstRetry + cluster_retry_.next(), [this] { ask_for_cluster(); });
    return;
  }
  if (name_space) take_cluster(*name_space);
  enter(first_state());
}

/// An answer that tells no uid tells of no other cluster either.
void ApiLeaseSource::take_cluster(const json& name_space) {
  const Result<kube::ObjectId> id = kube::id_of(name_space);
  if (!id || id->uid.empty()) return;
  if (!memory_.cluster_id.empty() && id->uid != memory_.cluster_id) {
    memory_.resource_version.clear();
    memory_.crd_seen = false;
  }
  consumer_->cluster(id->uid);
}

ApiLeaseSource::State ApiLeaseSource::first_state() const {
  if (options_.objects == ApiObjects::kNodes) return State::kNodes;
  const bool kind_only = options_.objects == ApiObjects::kNodeNetworks || memory_.crd_seen;
  return kind_only ? State::kNodeNetworks : State::kNodesUntilKind;
}

void ApiLeaseSource::enter(State state) {
  const State before = std::exchange(state_, state);
  switch (state) {
    case State::kAsksForCluster:
      break;
    case State::kNodes:
      own_.set_node_told(told_by_watch());
      watch_nodes(/*resumes=*/true);
      break;
    case State::kNodesUntilKind:
      own_.set_node_told(told_by_watch());
      watch_nodes(/*resumes=*/true);
      ask_for_kind();
      break;
    case State::kBoth:
      managed_.clear();
      watch_nodes(/*resumes=*/false);  // which nodes there are is to be known
      watch_node_networks(/*resumes=*/false);
      break;
    case State::kNodeNetworks:
      nodes_.reset();
      own_.set_node_told(OwnObjects::NodeTold::kNever);
      if (before != State::kBoth) watch_node_networks(/*resumes=*/true);
      break;
  }
}

OwnObjects::NodeTold ApiLeaseSource::told_by_watch() const {
  return memory_.resource_version.empty() ? OwnObjects::NodeTold::kByList : OwnObjects::NodeTold::kByChanges;
}

void ApiLeaseSource::ask_for_kind() {
  call_ = client_.get_document("/apis/" + std::string(kNodeNetworkApiVersion),
                               [this](const Result<json>& read) { kind_read(read); });
}

void ApiLeaseSource::kind_read(const Result<json>& discovery) {
  call_.reset();
  if (discovery && has_node_networks(*discovery)) return enter(State::kBoth);
  ask_for_kind_ = loop_.after(kAskForKindEvery, [this] { ask_for_kind(); });
}

std::unique_ptr<WatchedNodes> ApiLeaseSource::watch(NodeDecoder decoder, WatchedNodes::Callbacks callbacks,
                                                    bool resumes) {
  callbacks.listed = [this] { look_at_lists(); };
  callbacks.health = [this] { tell_health(); };
  auto watched =
      std::make_unique<WatchedNodes>(loop_, http_, std::move(decoder), options_.node, std::move(callbacks),
                                     WatchedNodes::Past{memory_.resource_version, resumes}, next_seed_);
  next_seed_ += 2;
  watched->start();
  return watched;
}

void ApiLeaseSource::watch_nodes(bool resumes) {
  nodes_ = watch(node_decoder(options_.keys, options_.node),
                 {.put = [this](NodeNetworkObject node) { node_put(std::move(node)); },
                  .removed = [this](const kube::ObjectId& id) { node_removed(id); },
                  .position = [this](const std::string& version) { position(/*of_nodes=*/true, version); },
                  .own = [this](const JsonObject& node) { own_.node_told(node); }},
                 resumes);
}

void ApiLeaseSource::watch_node_networks(bool resumes) {
  own_.use_object();
  node_networks_ =
      watch(node_network_decoder(),
            {.put = [this](NodeNetworkObject node) { node_network_put(std::move(node)); },
             .removed = [this](const kube::ObjectId& id) { node_network_removed(id); },
             .position = [this](const std::string& version) { position(/*of_nodes=*/false, version); },
             .own = [](const JsonObject&) {}},
            resumes);
}

void ApiLeaseSource::node_put(NodeNetworkObject node) {
  const std::string& name = node.identity.name;
  if (node.network.managed) managed_.insert(name);
  if (!node_networks_ || !node_networks_->names().contains(name)) consumer_->upsert(std::move(node));
}

void ApiLeaseSource::node_network_put(NodeNetworkObject node) {
  if (node.identity.name == options_.node) {
    own_.object_told(node);
    node = own_.completed(std::move(node));
  }
  const bool tombstone = !node.removed_at.empty();
  consumer_->upsert(std::move(node));
  if (state_ == State::kBoth && !tombstone) look_at_lists();
}

void ApiLeaseSource::node_removed(const kube::ObjectId& id) {
  if (const auto found = managed_.find(id.name); found != managed_.end()) managed_.erase(found);
  if (!node_networks_ || !node_networks_->names().contains(id.name)) consumer_->removed(id.name, id.uid);
}

void ApiLeaseSource::node_network_removed(const kube::ObjectId& id) {
  if (id.name == options_.node) {
    own_.object_gone();
  } else if (!nodes_ || !nodes_->names().contains(id.name)) {
    consumer_->removed(id.name, id.uid);
  }
}

/// One of the lists is whole, or has changed while both are watched.
void ApiLeaseSource::look_at_lists() {
  if (state_ == State::kBoth) return look_at_both_lists();
  const WatchedNodes& only = state_ == State::kNodeNetworks ? *node_networks_ : *nodes_;
  if (only.is_whole()) consumer_->listed(only.names());
}

void ApiLeaseSource::look_at_both_lists() {
  if (!nodes_->is_whole() || !node_networks_->is_whole()) return;
  const NodeNames& in_objects = node_networks_->names();
  const bool covered =
      std::ranges::all_of(managed_, [&](const std::string& name) { return in_objects.contains(name); });
  if (covered && !managed_.empty()) {
    // not from within a call of a watch that ends by it
    leave_nodes_ = loop_.after({}, [this] { leave_nodes(); });
    return;
  }
  NodeNames all = in_objects;
  all.insert(nodes_->names().begin(), nodes_->names().end());
  consumer_->listed(all);
}

void ApiLeaseSource::leave_nodes() {
  enter(State::kNodeNetworks);
  consumer_->crd_seen();
  consumer_->listed(node_networks_->names());
}

void ApiLeaseSource::position(bool of_nodes, const std::string& resource_version) {
  if (of_nodes == (state_ == State::kNodeNetworks)) return;
  memory_.resource_version = resource_version;
  consumer_->position(resource_version);
}

void ApiLeaseSource::tell_health() {
  // Not before a list has its watch or has failed: the watch must come by the list's connection, to confirm
  // it.
  if (state_ != State::kAsksForCluster) own_.start(options_.status_settles);
  SourceHealth health{.reachable = cluster_trouble_.empty(), .detail = cluster_trouble_};
  const auto add = [&](const std::string& text) {
    if (!text.empty()) health.detail += (health.detail.empty() ? "" : "; ") + text;
  };
  for (const WatchedNodes* watched : {nodes_.get(), node_networks_.get()}) {
    if (watched == nullptr) continue;
    health.reachable = health.reachable && watched->trouble().empty();
    add(watched->trouble());
    add(watched->unusable());
  }
  add(own_trouble_);
  if (std::exchange(health_told_, true) && health == told_health_) return;
  told_health_ = health;
  consumer_->health(health);
}

}  // namespace holdfast::flannel
