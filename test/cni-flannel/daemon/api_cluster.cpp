#include "test/cni-flannel/daemon/api_cluster.h"

#include <algorithm>
#include <fstream>

#include "common/yaml/yaml.h"

namespace holdfast::test {

using nlohmann::json;

namespace {

constexpr const char* kObjects = "/apis/net.holdfast.dev/v1alpha1/nodenetworkconfigurations/";
constexpr const char* kPrefix = "flannel.alpha.coreos.com/";

json at(ApiServer& server, const std::string& path) {
  const StoredObject found = server.find(path);
  return found ? *found : json();
}

}  // namespace

ApiCluster::ApiCluster() {
  connect({.server = server.url()}, "flanneld");
  client = std::make_unique<kube::ObjectClient>(
      *loop, *http,
      kube::ObjectClientOptions{.field_manager = "flanneld",
                                .first_wait = std::chrono::milliseconds(1),
                                .longest_wait = std::chrono::milliseconds(5)},
      1);
}

void ApiCluster::start() {
  source = std::make_unique<flannel::ApiLeaseSource>(*loop, *http, *client, options);
  REQUIRE(source->start(diary));
}

void ApiCluster::put_node(const std::string& name, const std::string& pod_cidr, const json& annotations) {
  json node{{"apiVersion", "v1"},
            {"kind", "Node"},
            {"spec", {{"podCIDR", pod_cidr}, {"podCIDRs", json::array({pod_cidr})}}}};
  if (!annotations.is_null()) {
    node["metadata"]["annotations"] = annotations;
  }
  server.put("/api/v1/nodes/" + name, node);
}

json ApiCluster::annotations(const std::string& mac, const std::string& public_ip) {
  const std::string prefix = kPrefix;
  return {{prefix + "kube-subnet-manager", "true"},
          {prefix + "backend-type", "vxlan"},
          {prefix + "backend-data", R"({"VNI":1,"VtepMAC":")" + mac + "\"}"},
          {prefix + "public-ip", public_ip}};
}

void ApiCluster::put_object(const std::string& name, const std::string& pod_cidr, const std::string& mac,
                            const std::string& public_ip) {
  flannel::NodeNetworkObject object;
  object.identity.name = name;
  object.network = own(mac, public_ip);
  object.network.node = name;
  object.network.pod_cidrs = {Cidr::parse(pod_cidr).value()};
  server.put(kObjects + name, flannel::encode_node_network(object));
}

void ApiCluster::define_node_networks() {
  std::ifstream file(HOLDFAST_MANIFESTS "/base/flannel/nodenetworkconfigurations.yaml");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  server.put(
      "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
      "nodenetworkconfigurations.net.holdfast.dev",
      parse_yaml(text).value().front());
  server.establish();
}

json ApiCluster::node(const std::string& name) { return at(server, "/api/v1/nodes/" + name); }

json ApiCluster::object(const std::string& name) { return at(server, kObjects + name); }

flannel::NodeNetwork ApiCluster::own(const std::string& mac, const std::string& public_ip) {
  flannel::NodeNetwork out;
  out.node = "a";
  out.backend_type = "vxlan";
  out.pod_cidrs = {Cidr::parse("10.244.1.0/24").value()};
  out.backend_data = flannel::BackendData{1, MacAddress::parse(mac).value()};
  out.public_ip = IpAddress::parse(public_ip).value();
  return out;
}

std::size_t ApiCluster::count_requests(const std::string& begin) {
  return static_cast<std::size_t>(
      std::ranges::count_if(server.requests(), [&](const auto& each) { return each.starts_with(begin); }));
}

}  // namespace holdfast::test
