#include "cni-flannel/daemon/node_network_object.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "cni-flannel/daemon/backend_data.h"
#include "cni-flannel/daemon/node_name.h"
#include "cni-flannel/daemon/node_network_names.h"
#include "common/kube/kind.h"
#include "common/yaml/yaml.h"

namespace holdfast::flannel {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxInteger = std::numeric_limits<std::int64_t>::max();

/// Absent and "" are the same: objects that were made by other programs hold empty strings.
Result<std::optional<IpAddress>> optional_address(const JsonField& field) {
  HOLDFAST_TRY(const std::string text, field.string_or(""));
  if (text.empty()) return std::nullopt;
  HOLDFAST_TRY(const IpAddress address, field.address());
  return address;
}

Result<NodeNetwork> decode_spec(const std::string& node, const JsonObject& flannel) {
  NodeNetwork out;
  out.node = node;
  HOLDFAST_TRY(out.managed, flannel["subnetKubeManaged"].boolean_or(true));
  HOLDFAST_TRY(out.backend_type, flannel["backendType"].string_or(""));
  HOLDFAST_TRY(out.pod_cidrs, decode_pod_cidrs(flannel, "podCidr"));
  HOLDFAST_TRY(out.backend_data, decode_backend_data(flannel["backendData"]));
  HOLDFAST_TRY(out.backend_v6_data, decode_backend_data(flannel["backendV6Data"]));
  HOLDFAST_TRY(out.public_ip, optional_address(flannel["publicIP"]));
  HOLDFAST_TRY(out.public_ipv6, optional_address(flannel["publicIPv6"]));
  HOLDFAST_TRY(out.public_ip_overwrite, optional_address(flannel["publicIPOverwrite"]));
  HOLDFAST_TRY(out.public_ipv6_overwrite, optional_address(flannel["publicIPv6Overwrite"]));
  HOLDFAST_TRY(const std::int64_t epoch, flannel["leaseEpoch"].integer_or(0, 0, kMaxInteger));
  out.lease_epoch = static_cast<std::uint64_t>(epoch);
  return out;
}

void put(json& object, const char* key, const std::string& text) {
  if (!text.empty()) object[key] = text;
}

void put(json& object, const char* key, const std::optional<IpAddress>& address) {
  if (address) object[key] = address->to_string();
}

void put(json& object, const char* key, const std::optional<BackendData>& data) {
  if (!data) return;
  object[key]["VtepMAC"] = data->vtep_mac.to_string();
  if (data->vni) object[key]["VNI"] = *data->vni;
}

json encode_spec(const NodeNetwork& network) {
  json out{{"subnetKubeManaged", network.managed}};
  put(out, "backendType", network.backend_type);
  put(out, "backendData", network.backend_data);
  put(out, "backendV6Data", network.backend_v6_data);
  put(out, "publicIP", network.public_ip);
  put(out, "publicIPv6", network.public_ipv6);
  put(out, "publicIPOverwrite", network.public_ip_overwrite);
  put(out, "publicIPv6Overwrite", network.public_ipv6_overwrite);
  for (const Cidr& cidr : network.pod_cidrs) out["podCIDRs"].push_back(cidr.to_string());
  if (!network.pod_cidrs.empty()) out["podCidr"] = network.pod_cidrs.front().to_string();
  if (network.lease_epoch != 0) out["leaseEpoch"] = network.lease_epoch;
  return out;
}

/// The objects that one document stands for.
void decode_document(const json& document, std::vector<DecodedDocument>& out) {
  const auto object = JsonObject::of(document);
  if (!object) {
    out.emplace_back(tl::unexpected(object.error()));
    return;
  }
  const Result<std::string> kind = (*object)["kind"].string_or("");
  if (!kind || (*kind != "List" && *kind != kNodeNetworkListKind)) {
    out.push_back(decode_node_network(*object));
    return;
  }
  const auto items = (*object)["items"].array_or_empty();
  if (!items) {
    out.emplace_back(tl::unexpected(items.error()));
    return;
  }
  for (const JsonField& item : *items) {
    const auto element = item.object();
    out.push_back(element ? decode_node_network(*element) : DecodedDocument(tl::unexpected(element.error())));
  }
}

}  // namespace

Result<ObjectIdentity> decode_identity(const JsonObject& object) {
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object_or_empty());
  ObjectIdentity out;
  const JsonField name = metadata["name"];
  HOLDFAST_TRY(out.name, name.string());
  if (out.name.empty()) return name.refuse("names nothing");
  HOLDFAST_TRY(out.uid, metadata["uid"].string_or(""));
  HOLDFAST_TRY(out.resource_version, metadata["resourceVersion"].string_or(""));
  HOLDFAST_TRY(out.generation, metadata["generation"].integer_or(0, 0, kMaxInteger));
  return out;
}

Result<ObjectIdentity> decode_node_identity(const JsonObject& object) {
  HOLDFAST_TRY(ObjectIdentity out, decode_identity(object));
  const std::string fault = node_name_fault(out.name);
  if (fault.empty()) return out;
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object());
  return metadata["name"].refuse(fault);
}

Result<std::vector<Cidr>> decode_pod_cidrs(const JsonObject& object, std::string_view single_key) {
  std::vector<Cidr> cidrs;
  const JsonField several = object["podCIDRs"];
  HOLDFAST_TRY(const std::vector<JsonField> fields, several.array_or_empty());
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(const Cidr cidr, field.cidr());
    cidrs.push_back(cidr);
  }
  const JsonField single = object[single_key];
  HOLDFAST_TRY(const std::string text, single.string_or(""));
  if (cidrs.empty() && !text.empty()) {
    HOLDFAST_TRY(const Cidr cidr, single.cidr());
    cidrs.push_back(cidr);
  }
  Result<std::vector<Cidr>> checked = checked_pod_cidrs(cidrs);
  if (!checked) return tl::unexpected(std::move(checked).error().within(several.path()));
  return checked;
}

Result<NodeNetworkObject> decode_node_network(const JsonObject& object) {
  HOLDFAST_CHECK(kube::check_kind(object, std::string(kNodeNetworkKind), std::string(kNodeNetworkGroup)));
  NodeNetworkObject out;
  HOLDFAST_TRY(out.identity, decode_node_identity(object));
  HOLDFAST_TRY(const JsonObject spec, object["spec"].object_or_empty());
  HOLDFAST_TRY(const JsonObject flannel, spec["flannel"].object_or_empty());
  Result<NodeNetwork> network = decode_spec(out.identity.name, flannel);
  if (!network) return tl::unexpected(std::move(network).error().within(out.identity.name));
  out.network = *std::move(network);
  HOLDFAST_TRY(out.removed_at, spec["removedAt"].string_or(""));
  return out;
}

Result<Condition> decode_condition(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject object, field.object());
  Condition out;
  HOLDFAST_TRY(out.type, object["type"].string());
  HOLDFAST_TRY(out.status, object["status"].string_or(""));
  HOLDFAST_TRY(out.reason, object["reason"].string_or(""));
  HOLDFAST_TRY(out.message, object["message"].string_or(""));
  HOLDFAST_TRY(out.last_transition_time, object["lastTransitionTime"].string_or(""));
  return out;
}

Result<NodeNetworkStatus> decode_node_network_status(const JsonObject& object) {
  HOLDFAST_TRY(const JsonObject status, object["status"].object_or_empty());
  NodeNetworkStatus out;
  HOLDFAST_TRY(out.observed_generation, status["observedGeneration"].integer_or(0, 0, kMaxInteger));
  HOLDFAST_TRY(const std::vector<JsonField> conditions, status["conditions"].array_or_empty());
  for (const JsonField& field : conditions) {
    HOLDFAST_TRY(Condition condition, decode_condition(field));
    out.conditions.push_back(std::move(condition));
  }
  return out;
}

json encode_node_network(const NodeNetworkObject& object) {
  json metadata{{"name", object.identity.name}};
  put(metadata, "uid", object.identity.uid);
  put(metadata, "resourceVersion", object.identity.resource_version);
  if (object.identity.generation != 0) metadata["generation"] = object.identity.generation;
  json spec{{"flannel", encode_spec(object.network)}};
  put(spec, "removedAt", object.removed_at);
  return {{"apiVersion", kNodeNetworkApiVersion},
          {"kind", kNodeNetworkKind},
          {"metadata", std::move(metadata)},
          {"spec", std::move(spec)}};
}

json encode_node_network_status(const NodeNetworkStatus& status) {
  json conditions = json::array();
  for (const Condition& condition : status.conditions) {
    json entry{{"type", condition.type}, {"status", condition.status}};
    put(entry, "reason", condition.reason);
    put(entry, "message", condition.message);
    put(entry, "lastTransitionTime", condition.last_transition_time);
    conditions.push_back(std::move(entry));
  }
  return {{"observedGeneration", status.observed_generation}, {"conditions", std::move(conditions)}};
}

Result<std::vector<DecodedDocument>> decode_node_network_documents(std::string_view text) {
  HOLDFAST_TRY(const std::vector<json> documents, parse_yaml(text));
  std::vector<DecodedDocument> out;
  for (const json& document : documents) decode_document(document, out);
  return out;
}

}  // namespace holdfast::flannel
