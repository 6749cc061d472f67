#include "test/cni-flannel/daemon/cluster_objects.h"

#include <fstream>
#include <iterator>

#include "common/yaml/yaml.h"

namespace holdfast::test {

using nlohmann::json;

namespace {

constexpr const char* kPrefix = "flannel.alpha.coreos.com/";

json at(ApiServer& server, const std::string& path) {
  const StoredObject found = server.find(path);
  return found ? *found : json();
}

}  // namespace

void put_node(ApiServer& server, const std::string& name, const std::string& pod_cidr,
              const json& annotations) {
  json node{{"apiVersion", "v1"},
            {"kind", "Node"},
            {"spec", {{"podCIDR", pod_cidr}, {"podCIDRs", json::array({pod_cidr})}}}};
  if (!annotations.is_null()) {
    node["metadata"]["annotations"] = annotations;
  }
  server.put(kNodePath + name, node);
}

json flannel_annotations(const std::string& mac, const std::string& public_ip) {
  const std::string prefix = kPrefix;
  return {{prefix + "kube-subnet-manager", "true"},
          {prefix + "backend-type", "vxlan"},
          {prefix + "backend-data", R"({"VNI":1,"VtepMAC":")" + mac + "\"}"},
          {prefix + "public-ip", public_ip}};
}

flannel::NodeNetwork network_of(const std::string& name, const std::string& pod_cidr, const std::string& mac,
                                const std::string& public_ip) {
  flannel::NodeNetwork out;
  out.node = name;
  out.backend_type = flannel::kVxlanBackend;
  out.pod_cidrs = {Cidr::parse(pod_cidr).value()};
  out.backend_data = flannel::BackendData{1, MacAddress::parse(mac).value()};
  out.public_ip = IpAddress::parse(public_ip).value();
  return out;
}

void put_object(ApiServer& server, const flannel::NodeNetwork& network) {
  flannel::NodeNetworkObject object;
  object.identity.name = network.node;
  object.network = network;
  server.put(kNetworkPath + network.node, flannel::encode_node_network(object));
}

void define_node_networks(ApiServer& server, bool with_columns) {
  std::ifstream file(HOLDFAST_MANIFESTS "/base/flannel/nodenetworkconfigurations.yaml");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  json definition = parse_yaml(text).value().front();
  if (!with_columns) {
    definition["spec"]["versions"][0].erase("additionalPrinterColumns");
  }
  server.put(
      "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
      "nodenetworkconfigurations.net.holdfast.dev",
      definition);
  server.establish();
}

json node_object(ApiServer& server, const std::string& name) { return at(server, kNodePath + name); }

json network_object(ApiServer& server, const std::string& name) { return at(server, kNetworkPath + name); }

}  // namespace holdfast::test
