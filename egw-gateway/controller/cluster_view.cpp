#include "egw-gateway/controller/cluster_view.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "egw-gateway/controller/pool_names.h"

namespace holdfast::gateway {
namespace {

constexpr std::array kPoolVersions{"v1beta1", "v1alpha1"};
constexpr const char* kConfigMap = kController;

kube::Resource all_nodes() { return {.group = "", .version = "v1", .plural = "nodes"}; }

Result<ConnectionsText> decode_connections_text(const JsonObject& object) {
  ConnectionsText out;
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object());
  HOLDFAST_TRY(out.id.name, metadata["name"].string());
  HOLDFAST_TRY(out.id.uid, metadata["uid"].string_or(""));
  HOLDFAST_TRY(out.id.resource_version, metadata["resourceVersion"].string_or(""));
  HOLDFAST_TRY(const JsonObject data, object["data"].object_or_empty());
  HOLDFAST_TRY(out.text, data["connections"].string_or(""));
  return out;
}

}  // namespace

template <class Object>
kube::ObjectCache<Object> ClusterView::cache(const char* what, Result<Object> (*decode)(const JsonObject&)) {
  return kube::ObjectCache<Object>(decode, {.changed = [this](const std::string& /*name*/) { changed_(); },
                                            .listed = [this] { listed(); },
                                            .trouble =
                                                [this, what](const Error& error) {
                                                  context_.log.warning(what, {{"why", error.message}});
                                                }});
}

ClusterView::ClusterView(const Context& context, Options options, std::function<void()> changed)
    : context_(context),
      options_(std::move(options)),
      changed_(std::move(changed)),
      pools_(cache<NodePool>("NodePools", decode_node_pool)),
      nodes_(cache<PoolNode>("Nodes", decode_pool_node)),
      gateways_(cache<SeenGateway>("EdgeGateways", decode_seen_gateway)),
      deployments_(cache<SeenDeployment>("Deployments", decode_deployment)),
      helpers_(cache<OwnedObject>("DaemonSets", decode_owned)),
      budgets_(cache<OwnedObject>("PodDisruptionBudgets", decode_owned)),
      secrets_(cache<SeenSecret>("Secrets", decode_secret)),
      pods_(cache<CorePod>("Pods", decode_core_pod)),
      config_(cache<ConnectionsText>("ConfigMaps", decode_connections_text)) {
  add_watcher(all_nodes(), node_fields(), nodes_, [this] { return nodes_.is_whole(); });
  add_watcher(resource(Kind::kEdgeGateway), gateway_fields(), gateways_,
              [this] { return gateways_.is_whole(); });
  add_watcher(resource(Kind::kDeployment), deployment_fields(), deployments_,
              [this] { return deployments_.is_whole(); });
  add_watcher(resource(Kind::kDaemonSet), owned_fields(), helpers_, [this] { return helpers_.is_whole(); });
  add_watcher(resource(Kind::kBudget), owned_fields(), budgets_, [this] { return budgets_.is_whole(); });
  add_watcher(resource(Kind::kSecret), secret_fields(), secrets_, [this] { return secrets_.is_whole(); });
  add_watcher(
      {.group = "", .version = "v1", .plural = "pods", .name_space = options_.name_space}, pod_fields(),
      pods_, [this] { return pods_.is_whole(); },
      std::string(kManagedByLabel) + "=" + kController + "," + kProgramLabel + "=egw-core");
  add_watcher(
      {.group = "", .version = "v1", .plural = "configmaps", .name_space = options_.name_space}, {"data"},
      config_, [this] { return config_.is_whole(); }, {}, std::string("metadata.name=") + kConfigMap);
}

ClusterView::~ClusterView() = default;

void ClusterView::add_watcher(kube::Resource resource, kube::KeptFields fields, kube::WatchConsumer& consumer,
                              std::function<bool()> is_whole, std::string labels,
                              std::string field_selector) {
  kube::WatchOptions options;
  options.resource = std::move(resource);
  options.kept = std::move(fields);
  options.label_selector = std::move(labels);
  options.field_selector = std::move(field_selector);
  // What a restored store has lost is taken for gone, but removed only after a long time of that.
  options.restored_store_wait = kube::kConfirmAgain;
  watched_.push_back(
      {.watcher = std::make_unique<kube::Watcher>(context_.loop, context_.http, std::move(options), consumer,
                                                  options_.seed + watched_.size()),
       .is_whole = std::move(is_whole)});
}

void ClusterView::start() { ask_version(0); }

void ClusterView::ask_version(std::size_t which) {
  const std::string version = kPoolVersions.at(which);
  call_ = context_.client.get_document(
      std::string("/apis/") + kNodePoolGroup + "/" + version,
      [this, which, version](const Result<nlohmann::json>& document) {
        if (document) return watch_pools(version);
        const bool absent = document.error().code == Code::kNotFound;
        if (absent && which + 1 < kPoolVersions.size()) return ask_version(which + 1);
        context_.log.warning("the API server has no NodePools", {{"why", document.error().message}});
        again_ = context_.loop.after(options_.ask_again, [this] { ask_version(0); });
      });
}

void ClusterView::watch_pools(const std::string& version) {
  add_watcher({.group = kNodePoolGroup, .version = version, .plural = "nodepools"}, node_pool_fields(),
              pools_, [this] { return pools_.is_whole(); });
  listed();
}

// The next one begins when the list of the one before is confirmed.
void ClusterView::listed() {
  if (call_ == nullptr) return;
  for (Watched& each : watched_) {
    if (each.is_whole()) continue;
    if (!std::exchange(each.started, true)) each.watcher->start();
    return;
  }
  changed_();
}

bool ClusterView::is_known() const {
  return pools_.is_whole() &&
         std::ranges::all_of(watched_, [](const Watched& each) { return each.is_whole(); });
}

void ClusterView::read_connections() {
  const ConnectionsText* text = config_.find(kConfigMap);
  const std::string version = text == nullptr ? "none" : text->id.resource_version;
  if (std::exchange(config_version_, version) == version) return;
  if (text == nullptr) {
    connections_ = fail(Code::kNotFound, "does not exist: make it, with the connections of the pools");
  } else {
    connections_ = parse_connections(text->text);
  }
}

ClusterSight ClusterView::sight() {
  read_connections();
  return {pools_.all(),   nodes_.all(),   gateways_.all(), deployments_.all(), helpers_.all(),
          budgets_.all(), secrets_.all(), pods_.all(),     connections_};
}

kube::Resource ClusterView::resource(Kind kind) const {
  const std::string& own = options_.name_space;
  switch (kind) {
    case Kind::kEdgeGateway:
      return {.group = std::string(kEdgeGatewayGroup),
              .version = std::string(kEdgeGatewayVersion),
              .plural = std::string(kEdgeGatewayPlural)};
    case Kind::kSecret:
      return {.group = "", .version = "v1", .plural = "secrets", .name_space = own};
    case Kind::kBudget:
      return {.group = "policy", .version = "v1", .plural = "poddisruptionbudgets", .name_space = own};
    case Kind::kDeployment:
      return {.group = "apps", .version = "v1", .plural = "deployments", .name_space = own};
    case Kind::kDaemonSet:
      return {.group = "apps", .version = "v1", .plural = "daemonsets", .name_space = own};
  }
  return {};
}

kube::KeptFields ClusterView::fields(Kind kind) {
  switch (kind) {
    case Kind::kEdgeGateway:
      return gateway_fields();
    case Kind::kSecret:
      return secret_fields();
    case Kind::kDeployment:
      return deployment_fields();
    case Kind::kBudget:
    case Kind::kDaemonSet:
      return owned_fields();
  }
  return {};
}

template <class Function>
void ClusterView::with_cache(Kind kind, Function function) {
  switch (kind) {
    case Kind::kEdgeGateway:
      return function(gateways_);
    case Kind::kSecret:
      return function(secrets_);
    case Kind::kBudget:
      return function(budgets_);
    case Kind::kDeployment:
      return function(deployments_);
    case Kind::kDaemonSet:
      return function(helpers_);
  }
}

void ClusterView::told(Kind kind, const nlohmann::json& object) {
  with_cache(kind, [&](auto& cache) { cache.told(object); });
}

void ClusterView::removed(Kind kind, const kube::ObjectId& id) {
  with_cache(kind, [&](auto& cache) { cache.removed(id); });
}

}  // namespace holdfast::gateway
