#include "test/egw-gateway/controller/controller_scene.h"

#include <algorithm>
#include <utility>

#include "egw-gateway/controller/pool_names.h"
#include "test/egw-gateway/controller/plan_scene.h"
#include "test/kube_server/manifest_kinds.h"

namespace holdfast::gateway::test {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

void define_pools(holdfast::test::ApiServer& server, const std::string& newest) {
  json versions = json::array();
  for (const char* version : {"v1beta1", "v1alpha1"}) {
    const bool served = newest == "v1beta1" || version == newest;
    versions.push_back(
        {{"name", version},
         {"served", served},
         {"storage", version == newest},
         {"schema",
          {{"openAPIV3Schema",
            {{"type", "object"},
             {"properties",
              {{"spec", {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}}}}}}}}}});
  }
  server.put("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/nodepools.apps.openyurt.io",
             {{"spec",
               {{"group", kube::kNodePoolGroup},
                {"scope", "Cluster"},
                {"names", {{"plural", "nodepools"}, {"singular", "nodepool"}, {"kind", "NodePool"}}},
                {"versions", versions}}}});
  server.establish();
}

}  // namespace

ControllerScene::ControllerScene(std::string pool_version) : version(std::move(pool_version)) {
  server.heed_bounds();
  define_pools(server, version);
  holdfast::test::define_kind(server, HOLDFAST_MANIFESTS "/base/egw-gateway/edgegateways.yaml");
  server.put("/api/v1/namespaces/egw-gateway", {{"metadata", json::object()}});
  server.put(std::string(kOwn) + "configmaps/egw-controller", {{"data", {{"connections", kConnections}}}});
  put_pool("site", "10.244.0.0/16");
  put_node("box-1", "site");
  put_node("box-2", "site");
  options.plan.objects = {.name_space = "egw-gateway", .image = "holdfast"};
  options.host = "test";
  options.first_wait = 1ms;
  options.longest_wait = 20ms;
  options.write = 5s;
  options.ask_again = 20ms;
  options.lease.lease = 5s;
  options.lease.lead = 4s;
  options.lease.retry = 50ms;
}

void ControllerScene::start(const std::string& identity) {
  controller.reset();
  connect({.server = server.url()}, kController);
  kube::Config config;
  config.server = server.url();
  watches = kube::CurlHttp::create(*loop, config, files, metrics, kController).value();
  client = std::make_unique<kube::ObjectClient>(
      *loop, *http,
      kube::ObjectClientOptions{.field_manager = kController, .first_wait = 1ms, .longest_wait = 5ms}, 1);
  options.identity = identity;
  options.seed += 100;
  controller = std::make_unique<PoolController>(
      PoolController::Context{
          .loop = *loop, .http = *watches, .client = *client, .log = log, .metrics = metrics},
      options);
  controller->start();
}

std::string ControllerScene::pool_path(const std::string& pool) const {
  return "/apis/apps.openyurt.io/" + version + "/nodepools/" + pool;
}

void ControllerScene::put_pool(const std::string& pool, const std::string& pod_cidrs) {
  server.put(pool_path(pool), {{"apiVersion", "apps.openyurt.io/" + version},
                               {"kind", "NodePool"},
                               {"metadata", {{"annotations", enhanced(pod_cidrs)}}},
                               {"spec", {{"type", "Edge"}}}});
}

void ControllerScene::put_node(const std::string& node, const std::string& pool) {
  server.put("/api/v1/nodes/" + node,
             {{"metadata", {{"labels", {{"apps.openyurt.io/nodepool", pool}, {kArchLabel, "amd64"}}}}}});
}

void ControllerScene::run_pods() {
  int number = 0;
  for (const char* gateway : kGateways) {
    ++number;
    const std::string path = std::string(kApps) + "deployments/site-" + gateway;
    const json deployment = at(path);
    if (deployment.is_null()) continue;
    server.put(path, {{"status",
                       {{"observedGeneration", deployment["metadata"]["generation"]},
                        {"replicas", 1},
                        {"updatedReplicas", 1},
                        {"availableReplicas", 1}}}});
    json labels = deployment["spec"]["template"]["metadata"]["labels"];
    server.put(std::string(kOwn) + "pods/site-" + gateway,
               {{"metadata", {{"labels", labels}}},
                {"spec", {{"nodeName", "box-" + std::to_string(number)}}},
                {"status",
                 {{"podIPs", json::array({{{"ip", "10.244." + std::to_string(number) + ".7"}}})},
                  {"conditions", json::array({{{"type", "Ready"}, {"status", "True"}}})}}}});
  }
}

bool ControllerScene::is_settled() {
  run_pods();
  return reason(kGatewaysReady) == "AsWanted" &&
         !at(std::string(kApps) + "daemonsets/site-helper").is_null() &&
         at(std::string(kEdgeGateways) + "site")["spec"].value("gateways", json::array()).size() == 2;
}

void ControllerScene::turn_until_settled() {
  turn_until([this] { return is_settled(); });
}

json ControllerScene::at(const std::string& path) {
  const holdfast::test::StoredObject found = server.find(path);
  return found ? *found : json();
}

std::string ControllerScene::reason(const std::string& condition) {
  const json gateway = at(std::string(kEdgeGateways) + "site");
  if (gateway.is_null() || !gateway.contains("status")) return "";
  for (const json& each : gateway["status"].value("conditions", json::array())) {
    if (each["type"] == condition) return each["reason"];
  }
  return "";
}

std::size_t ControllerScene::count_requests(const std::string& begin) {
  return static_cast<std::size_t>(
      std::ranges::count_if(server.requests(), [&](const auto& each) { return each.starts_with(begin); }));
}

std::size_t ControllerScene::count_writes() {
  return static_cast<std::size_t>(std::ranges::count_if(server.requests(), [](const std::string& each) {
    const bool write = each.starts_with("create ") || each.starts_with("patch ") ||
                       each.starts_with("update ") || each.starts_with("delete ");
    return write && each.find(" events") == std::string::npos && each.find(" leases") == std::string::npos;
  }));
}

}  // namespace holdfast::gateway::test
