#include "cni-flannel/daemon/node_annotations.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "cni-flannel/daemon/backend_data.h"

namespace holdfast::flannel {
namespace {

constexpr const char* kTrue = "true";

const std::string* find(const Annotations& annotations, const std::string& key) {
  const auto found = annotations.find(key);
  return found == annotations.end() || found->second.empty() ? nullptr : &found->second;
}

Result<std::optional<BackendData>> backend_annotation(const Annotations& annotations,
                                                      const std::string& key) {
  const std::string* value = find(annotations, key);
  if (value == nullptr) return std::nullopt;
  auto decoded = decode_backend_data(*value);
  if (!decoded) return tl::unexpected(std::move(decoded).error().within(key));
  return *decoded;
}

Result<NodeNetwork> decode_managed(const std::string& node, const Annotations& annotations,
                                   const std::vector<Cidr>& pod_cidrs, const AnnotationKeys& keys) {
  NodeNetwork out;
  out.node = node;
  if (const std::string* type = find(annotations, keys.backend_type)) out.backend_type = *type;
  HOLDFAST_TRY(out.pod_cidrs, checked_pod_cidrs(pod_cidrs));
  HOLDFAST_TRY(out.backend_data, backend_annotation(annotations, keys.backend_data));
  HOLDFAST_TRY(out.backend_v6_data, backend_annotation(annotations, keys.backend_v6_data));
  HOLDFAST_TRY(out.public_ip, address_annotation(annotations, keys.public_ip));
  HOLDFAST_TRY(out.public_ipv6, address_annotation(annotations, keys.public_ipv6));
  HOLDFAST_TRY(out.public_ip_overwrite, address_annotation(annotations, keys.public_ip_overwrite));
  HOLDFAST_TRY(out.public_ipv6_overwrite, address_annotation(annotations, keys.public_ipv6_overwrite));
  return out;
}

}  // namespace

Annotations encode_annotations(const NodeNetwork& network, const AnnotationKeys& keys) {
  Annotations out{{keys.kube_subnet_manager, kTrue}, {keys.backend_type, network.backend_type}};
  if (network.backend_data) out[keys.backend_data] = encode_backend_data(*network.backend_data);
  if (network.backend_v6_data) out[keys.backend_v6_data] = encode_backend_data(*network.backend_v6_data);
  if (network.public_ip) out[keys.public_ip] = network.public_ip->to_string();
  if (network.public_ipv6) out[keys.public_ipv6] = network.public_ipv6->to_string();
  return out;
}

Result<std::optional<NodeNetwork>> decode_annotations(const std::string& node, const Annotations& annotations,
                                                      const std::vector<Cidr>& pod_cidrs,
                                                      const AnnotationKeys& keys) {
  const std::string* managed = find(annotations, keys.kube_subnet_manager);
  if (managed == nullptr || *managed != kTrue) return std::nullopt;
  Result<NodeNetwork> decoded = decode_managed(node, annotations, pod_cidrs, keys);
  if (!decoded) return tl::unexpected(std::move(decoded).error().within("node " + node));
  return *std::move(decoded);
}

Annotations changed_annotations(const Annotations& wanted, const Annotations& present) {
  Annotations out;
  for (const auto& [key, value] : wanted) {
    const auto found = present.find(key);
    if (found == present.end() || found->second != value) out[key] = value;
  }
  return out;
}

Result<std::optional<IpAddress>> address_annotation(const Annotations& annotations, const std::string& key) {
  const std::string* value = find(annotations, key);
  if (value == nullptr) return std::nullopt;
  Result<IpAddress> address = IpAddress::parse(*value);
  if (!address) return tl::unexpected(std::move(address).error().within(key));
  return *address;
}

Result<Annotations> annotations_of(const JsonObject& object) {
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object_or_empty());
  const JsonField annotations = metadata["annotations"];
  HOLDFAST_TRY(const JsonObject members, annotations.object_or_empty());
  Annotations out;
  for (const std::string& key : members.keys()) {
    HOLDFAST_TRY(out[key], members[key].string_or(""));
  }
  return out;
}

Result<std::optional<NodeNetworkObject>> decode_node(const JsonObject& node, const AnnotationKeys& keys) {
  NodeNetworkObject out;
  HOLDFAST_TRY(out.identity, decode_node_identity(node));
  HOLDFAST_TRY(const JsonObject spec, node["spec"].object_or_empty());
  HOLDFAST_TRY(const Annotations annotations, annotations_of(node));
  HOLDFAST_TRY(const std::vector<Cidr> pod_cidrs, decode_pod_cidrs(spec, "podCIDR"));
  HOLDFAST_TRY(std::optional<NodeNetwork> network,
               decode_annotations(out.identity.name, annotations, pod_cidrs, keys));
  if (!network) return std::nullopt;
  out.network = *std::move(network);
  return out;
}

}  // namespace holdfast::flannel
