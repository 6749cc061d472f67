#include "egw-gateway/controller/cluster_view.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "egw-gateway/controller/pool_names.h"

namespace holdfast::gateway {
namespace {

constexpr const char* kConfigMap = kController;

Result<ConnectionsText> decode_connections_text(const JsonObject& object) {
  ConnectionsText out;
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object());
  HOLDFAST_TRY(out.id.name, metadata["name"].string());
  HOLDFAST_TRY(out.id.uid, metadata["uid"].string_or(""));
  HOLDFAST_TRY(out.id.resource_version, metadata["resourceVersion"].string_or(""));
  HOLDFAST_TRY(const JsonObject data, object["data"].object_or_empty());
  HOLDFAST_TRY(out.text, data["connections"].string_or(""));
  HOLDFAST_TRY(out.services, data["serviceCIDRs"].string_or(""));
  return out;
}

}  // namespace

template <class Object>
kube::ObjectCache<Object> ClusterView::cache(const char* what, Result<Object> (*decode)(const JsonObject&)) {
  return kube::ObjectCache<Object>(decode, {.changed = [this](const std::string& /*name*/) { changed_(); },
                                            .listed = [this] { watches_.listed(); },
                                            .trouble =
                                                [this, what](const Error& error) {
                                                  context_.log.warning(what, {{"why", error.message}});
                                                }});
}

ClusterView::ClusterView(const Context& context, Options options, std::function<void()> changed)
    : context_(context),
      options_(std::move(options)),
      changed_(std::move(changed)),
      pools_(cache<NodePool>("NodePools", kube::decode_node_pool)),
      nodes_(cache<PoolNode>("Nodes", decode_pool_node)),
      gateways_(cache<SeenGateway>("EdgeGateways", decode_seen_gateway)),
      deployments_(cache<SeenDeployment>("Deployments", decode_deployment)),
      helpers_(cache<OwnedObject>("DaemonSets", decode_owned)),
      budgets_(cache<OwnedObject>("PodDisruptionBudgets", decode_owned)),
      secrets_(cache<SeenSecret>("Secrets", decode_secret)),
      pods_(cache<CorePod>("Pods", decode_core_pod)),
      config_(cache<ConnectionsText>("ConfigMaps", decode_connections_text)),
      watches_({.loop = context.loop, .http = context.http, .client = context.client},
               {.whole = [this] { changed_(); },
                .absent =
                    [this](const Error& error) {
                      context_.log.warning("the API server has no NodePools", {{"why", error.message}});
                    }},
               options_.seed, options_.ask_again) {
  add_watches();
}

ClusterView::~ClusterView() = default;

void ClusterView::add_watches() {
  const std::string& own = options_.name_space;
  const std::string of_core =
      std::string(kManagedByLabel) + "=" + kController + "," + kProgramLabel + "=egw-core";
  watches_.add({.resource = {.group = "", .version = "v1", .plural = "nodes"}, .kept = node_fields()},
               nodes_);
  watches_.add({.resource = resource(Kind::kEdgeGateway), .kept = gateway_fields()}, gateways_);
  watches_.add({.resource = resource(Kind::kDeployment), .kept = deployment_fields()}, deployments_);
  watches_.add({.resource = resource(Kind::kDaemonSet), .kept = owned_fields()}, helpers_);
  watches_.add({.resource = resource(Kind::kBudget), .kept = owned_fields()}, budgets_);
  watches_.add({.resource = resource(Kind::kSecret), .kept = secret_fields()}, secrets_);
  watches_.add({.resource = {.group = "", .version = "v1", .plural = "pods", .name_space = own},
                .kept = pod_fields(),
                .label_selector = of_core},
               pods_);
  watches_.add({.resource = {.group = "", .version = "v1", .plural = "configmaps", .name_space = own},
                .kept = {"data"},
                .field_selector = std::string("metadata.name=") + kConfigMap},
               config_);
  watches_.add({.resource = {.group = kube::kNodePoolGroup, .version = "", .plural = kube::kNodePoolPlural},
                .kept = kube::node_pool_fields(),
                .versions = {kube::kNodePoolVersions.begin(), kube::kNodePoolVersions.end()}},
               pools_);
}

void ClusterView::start() { watches_.start(); }

bool ClusterView::is_known() const { return watches_.is_whole(); }

void ClusterView::read_connections() {
  const ConnectionsText* text = config_.find(kConfigMap);
  const std::string version = text == nullptr ? "none" : text->id.resource_version;
  if (std::exchange(config_version_, version) == version) return;
  if (text == nullptr) {
    connections_ = fail(Code::kNotFound, "does not exist: make it, with the connections of the pools");
  } else {
    connections_ = parse_connections(text->text, text->services);
  }
}

ClusterSight ClusterView::sight(const std::map<std::string, PoolTunnels>& given) {
  read_connections();
  return {pools_.all(),   nodes_.all(),   gateways_.all(), deployments_.all(), helpers_.all(),
          budgets_.all(), secrets_.all(), pods_.all(),     connections_,       given};
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
