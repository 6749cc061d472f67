#include "egw-gateway/controller/seen_objects.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/kube/names.h"
#include "egw-gateway/controller/pool_names.h"

namespace holdfast::gateway {
namespace {

constexpr std::int64_t kMost = INT64_MAX;

Result<kube::ObjectId> decode_id(const JsonObject& metadata) {
  kube::ObjectId id;
  HOLDFAST_TRY(id.name, metadata["name"].string());
  HOLDFAST_TRY(id.name_space, metadata["namespace"].string_or(""));
  HOLDFAST_TRY(id.uid, metadata["uid"].string_or(""));
  HOLDFAST_TRY(id.resource_version, metadata["resourceVersion"].string_or(""));
  return id;
}

Result<Text> decode_text(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject object, field.object_or_empty());
  Text out;
  for (const std::string& key : object.keys()) {
    HOLDFAST_TRY(out[key], object[key].string_or(""));
  }
  return out;
}

std::string text_in(const Text& text, const std::string& key) {
  const auto found = text.find(key);
  return found == text.end() ? "" : found->second;
}

Status read_owned(const JsonObject& object, OwnedObject& out) {
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object());
  HOLDFAST_TRY(out.id, decode_id(metadata));
  HOLDFAST_TRY(const Text labels, decode_text(metadata["labels"]));
  HOLDFAST_TRY(const Text annotations, decode_text(metadata["annotations"]));
  if (text_in(labels, kManagedByLabel) == kController) out.pool = text_in(labels, kPoolLabel);
  out.wanted = text_in(annotations, kWantedAnnotation);
  HOLDFAST_TRY(out.generation, metadata["generation"].integer_or(0, 0, kMost));
  out.leaving = metadata["deletionTimestamp"].present();
  return {};
}

void add_once(std::vector<std::string>& list, const std::string& text) {
  if (!text.empty() && std::ranges::find(list, text) == list.end()) list.push_back(text);
}

Status read_addresses(const JsonObject& status, PoolNode& out) {
  HOLDFAST_TRY(const std::vector<JsonField> addresses, status["addresses"].array_or_empty());
  for (const JsonField& field : addresses) {
    HOLDFAST_TRY(const JsonObject address, field.object());
    HOLDFAST_TRY(const std::string type, address["type"].string_or(""));
    HOLDFAST_TRY(const std::string text, address["address"].string_or(""));
    const Result<IpAddress> parsed = IpAddress::parse(text);
    if (type == "InternalIP" && parsed) out.addresses.push_back(*parsed);
  }
  return {};
}

Status read_pod_cidrs(const JsonObject& object, PoolNode& out) {
  HOLDFAST_TRY(const JsonObject spec, object["spec"].object_or_empty());
  HOLDFAST_TRY(std::vector<std::string> texts, spec["podCIDRs"].strings_or_empty());
  HOLDFAST_TRY(std::string one, spec["podCIDR"].string_or(""));
  if (texts.empty() && !one.empty()) texts.push_back(std::move(one));
  for (const std::string& text : texts) {
    if (const Result<Cidr> range = Cidr::parse(text)) out.pod_cidrs.push_back(range->network());
  }
  return {};
}

/// The status of the condition Ready; empty: there is none.
Result<std::string> readiness(const JsonObject& status) {
  HOLDFAST_TRY(const std::vector<JsonField> conditions, status["conditions"].array_or_empty());
  for (const JsonField& field : conditions) {
    HOLDFAST_TRY(const JsonObject condition, field.object());
    HOLDFAST_TRY(const std::string type, condition["type"].string_or(""));
    HOLDFAST_TRY(std::string value, condition["status"].string_or(""));
    if (type == "Ready") return value;
  }
  return std::string();
}

Result<std::map<std::string, std::set<std::string>>> decode_taken_keys(const JsonObject& object) {
  std::map<std::string, std::set<std::string>> out;
  HOLDFAST_TRY(const JsonObject status, object["status"].object_or_empty());
  HOLDFAST_TRY(const std::vector<JsonField> points, status["accessPoints"].array_or_empty());
  for (const JsonField& field : points) {
    HOLDFAST_TRY(const JsonObject point, field.object());
    HOLDFAST_TRY(const std::string name, point["name"].string());
    HOLDFAST_TRY(const std::vector<std::string> keys, point["keys"].strings_or_empty());
    out[name].insert(keys.begin(), keys.end());
  }
  return out;
}

Status read_pod_addresses(const JsonObject& status, CorePod& out) {
  HOLDFAST_TRY(const std::vector<JsonField> addresses, status["podIPs"].array_or_empty());
  for (const JsonField& field : addresses) {
    HOLDFAST_TRY(const JsonObject address, field.object());
    HOLDFAST_TRY(const IpAddress ip, address["ip"].address());
    const bool known = std::ranges::any_of(
        out.addresses, [&](const IpAddress& other) { return other.family() == ip.family(); });
    if (!known) out.addresses.push_back(ip);
  }
  return {};
}

}  // namespace

kube::KeptFields node_fields() {
  return {"metadata.labels",  "metadata.deletionTimestamp", "status.nodeInfo.architecture",
          "status.addresses", "status.conditions",          "spec.podCIDR",
          "spec.podCIDRs"};
}
kube::KeptFields owned_fields() {
  return {"metadata.labels", "metadata.annotations", "metadata.generation", "metadata.deletionTimestamp"};
}
kube::KeptFields gateway_fields() {
  kube::KeptFields out = owned_fields();
  out.insert(out.end(), {"apiVersion", "kind", "spec", "status"});
  return out;
}
kube::KeptFields deployment_fields() {
  kube::KeptFields out = owned_fields();
  out.insert(out.end(), {"status.observedGeneration", "status.updatedReplicas", "status.availableReplicas",
                         "status.replicas"});
  return out;
}
kube::KeptFields secret_fields() {
  kube::KeptFields out = owned_fields();
  out.emplace_back("data");
  return out;
}
kube::KeptFields pod_fields() {
  return {"metadata.labels", "metadata.deletionTimestamp", "spec.nodeName", "status.conditions",
          "status.podIPs"};
}

Result<PoolNode> decode_pool_node(const JsonObject& object) {
  PoolNode out;
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object());
  HOLDFAST_TRY(out.id, decode_id(metadata));
  HOLDFAST_TRY(const Text labels, decode_text(metadata["labels"]));
  out.pool = text_in(labels, kube::kNodePoolLabel);
  add_once(out.desired, text_in(labels, kube::kDesiredPoolLabel));
  add_once(out.desired, text_in(labels, kube::kDesiredPoolLabelOfAck));
  out.leaving = metadata["deletionTimestamp"].present();
  HOLDFAST_TRY(const JsonObject status, object["status"].object_or_empty());
  HOLDFAST_TRY(const JsonObject info, status["nodeInfo"].object_or_empty());
  HOLDFAST_TRY(out.arch, info["architecture"].string_or(""));
  if (!text_in(labels, kArchLabel).empty()) out.arch = text_in(labels, kArchLabel);
  HOLDFAST_TRY(const std::string ready, readiness(status));
  out.heard = ready != "Unknown";
  HOLDFAST_CHECK(read_addresses(status, out));
  HOLDFAST_CHECK(read_pod_cidrs(object, out));
  return out;
}

Result<OwnedObject> decode_owned(const JsonObject& object) {
  OwnedObject out;
  HOLDFAST_CHECK(read_owned(object, out));
  return out;
}

Result<SeenDeployment> decode_deployment(const JsonObject& object) {
  SeenDeployment out;
  HOLDFAST_CHECK(read_owned(object, out));
  HOLDFAST_TRY(const JsonObject status, object["status"].object_or_empty());
  HOLDFAST_TRY(const std::int64_t observed, status["observedGeneration"].integer_or(0, 0, kMost));
  HOLDFAST_TRY(const std::int64_t updated, status["updatedReplicas"].integer_or(0, 0, kMost));
  HOLDFAST_TRY(const std::int64_t available, status["availableReplicas"].integer_or(0, 0, kMost));
  HOLDFAST_TRY(const std::int64_t replicas, status["replicas"].integer_or(0, 0, kMost));
  out.available = observed >= out.generation && updated >= 1 && available >= 1 && replicas == updated;
  return out;
}

Result<SeenSecret> decode_secret(const JsonObject& object) {
  SeenSecret out;
  HOLDFAST_CHECK(read_owned(object, out));
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object());
  HOLDFAST_TRY(out.annotations, decode_text(metadata["annotations"]));
  HOLDFAST_TRY(out.data, decode_text(object["data"]));
  return out;
}

Result<SeenGateway> decode_seen_gateway(const JsonObject& object) {
  SeenGateway out;
  HOLDFAST_CHECK(read_owned(object, out));
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object());
  HOLDFAST_TRY(out.annotations, decode_text(metadata["annotations"]));
  Result<EdgeGateway> spec = decode_edge_gateway(object);
  if (!spec) out.trouble = spec.error().message;
  if (spec) out.spec = *std::move(spec);
  out.status = decode_edge_gateway_status(object).value_or(EdgeGatewayStatus{});
  out.taken_keys = decode_taken_keys(object).value_or(std::map<std::string, std::set<std::string>>{});
  return out;
}

Result<CorePod> decode_core_pod(const JsonObject& object) {
  CorePod out;
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object());
  HOLDFAST_TRY(out.id, decode_id(metadata));
  HOLDFAST_TRY(const Text labels, decode_text(metadata["labels"]));
  out.pool = text_in(labels, kPoolLabel);
  out.gateway = text_in(labels, kGatewayLabel);
  HOLDFAST_TRY(const JsonObject spec, object["spec"].object_or_empty());
  HOLDFAST_TRY(out.node, spec["nodeName"].string_or(""));
  HOLDFAST_TRY(const JsonObject status, object["status"].object_or_empty());
  HOLDFAST_CHECK(read_pod_addresses(status, out));
  HOLDFAST_TRY(const std::string ready, readiness(status));
  out.placed = !metadata["deletionTimestamp"].present() && !out.node.empty() && !out.addresses.empty();
  out.ready = ready == "True" && out.placed;
  return out;
}

}  // namespace holdfast::gateway
