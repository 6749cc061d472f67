#include "test/cni-flannel/controller/controller_scene.h"

#include <algorithm>
#include <utility>

#include "test/kube_server/manifest_kinds.h"

namespace holdfast::flannel::test {

using namespace std::chrono_literals;
using nlohmann::json;

ControllerScene::ControllerScene() {
  server.heed_bounds();
  holdfast::test::define_kind(server, HOLDFAST_MANIFESTS "/base/flannel/nodenetworkconfigurations.yaml");
  server.put("/api/v1/namespaces/kube-flannel", {{"metadata", json::object()}});
  options.plan.keys = AnnotationKeys::with_prefix().value();
  options.plan.cluster_cidrs = {Cidr::parse("10.244.0.0/16").value()};
  options.name_space = "kube-flannel";
  options.host = "test";
  options.first_wait = 1ms;
  options.longest_wait = 20ms;
  options.write = 5s;
  options.gather = 5ms;
  options.between = 5ms;
  options.ask_again = 20ms;
  options.lease.lease = 5s;
  options.lease.lead = 4s;
  options.lease.retry = 50ms;
}

std::unique_ptr<kube::CurlHttp> ControllerScene::new_watches() {
  kube::Config config;
  config.server = server.url();
  return kube::CurlHttp::create(*loop, config, files, metrics, kNetworkController).value();
}

std::unique_ptr<kube::ObjectClient> ControllerScene::new_client() {
  return std::make_unique<kube::ObjectClient>(
      *loop, *http,
      kube::ObjectClientOptions{.field_manager = kNetworkController, .first_wait = 1ms, .longest_wait = 5ms},
      1);
}

std::unique_ptr<NetworkController> ControllerScene::new_controller(const std::string& identity,
                                                                   kube::CurlHttp& of_watches,
                                                                   kube::ObjectClient& of_calls) {
  options.identity = identity;
  options.seed += 100;
  return std::make_unique<NetworkController>(
      NetworkController::Context{
          .loop = *loop, .http = of_watches, .client = of_calls, .log = log, .metrics = metrics},
      options);
}

void ControllerScene::start(const std::string& identity) {
  controller.reset();
  client.reset();
  connect({.server = server.url()}, kNetworkController);
  watches = new_watches();
  client = new_client();
  controller = new_controller(identity, *watches, *client);
  controller->start();
}

void ControllerScene::start_rival(const std::string& identity) {
  rival_watches = new_watches();
  rival_client = new_client();
  rival = new_controller(identity, *rival_watches, *rival_client);
  rival->start();
}

void ControllerScene::serve_pools() {
  const json schema{
      {"type", "object"},
      {"properties", {{"spec", {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}}}}}};
  const json version{
      {"name", "v1beta1"}, {"served", true}, {"storage", true}, {"schema", {{"openAPIV3Schema", schema}}}};
  server.put("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/nodepools.apps.openyurt.io",
             {{"spec",
               {{"group", kube::kNodePoolGroup},
                {"scope", "Cluster"},
                {"names", {{"plural", "nodepools"}, {"singular", "nodepool"}, {"kind", "NodePool"}}},
                {"versions", json::array({version})}}}});
  server.establish();
}

void ControllerScene::put_pool(const std::string& pool, const std::string& pod_cidrs,
                               const std::string& most) {
  json annotations{{kube::kPodCidrsAnnotation, pod_cidrs}};
  if (!most.empty()) annotations[kube::kMaxNodesAnnotation] = most;
  server.put(kPools + pool, {{"apiVersion", "apps.openyurt.io/v1beta1"},
                             {"kind", "NodePool"},
                             {"metadata", {{"annotations", annotations}}},
                             {"spec", {{"type", "Edge"}}}});
}

void ControllerScene::put_node(const std::string& node, const std::string& pool) {
  server.put(kNodes + node,
             {{"metadata", {{"labels", {{"apps.openyurt.io/nodepool", pool}}}}}, {"spec", json::object()}});
}

IpAddress ControllerScene::own_address(const std::string& node) {
  const auto number = static_cast<std::uint8_t>(addresses_.size() + 1);
  return addresses_.try_emplace(node, IpAddress::v4({192, 0, 2, number})).first->second;
}

void ControllerScene::run_upstream(const std::string& node, const std::string& mac,
                                   const std::string& public_ip) {
  NodeNetwork network;
  network.node = node;
  network.backend_type = kVxlanBackend;
  network.backend_data = BackendData{.vni = 1, .vtep_mac = MacAddress::parse(mac).value()};
  network.public_ip = public_ip.empty() ? own_address(node) : IpAddress::parse(public_ip).value();
  server.put(kNodes + node,
             {{"metadata", {{"annotations", encode_annotations(network, options.plan.keys)}}}});
}

json ControllerScene::at(const std::string& path) {
  const holdfast::test::StoredObject found = server.find(path);
  return found ? *found : json();
}

std::string ControllerScene::cidr_of(const std::string& node) {
  const json found = at(kNodes + node);
  return found.is_null() ? "" : found["spec"].value("podCIDR", "");
}

std::string ControllerScene::told_of(const std::string& node) {
  const json object = at(kObjects + node);
  if (object.is_null() || !object.contains("status") || !object["status"].contains("cluster")) return "";
  for (const json& each : object["status"]["cluster"]["conditions"]) {
    if (each["status"] == "False") return std::string(each["type"]) + "/" + std::string(each["reason"]);
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

}  // namespace holdfast::flannel::test
