#include "egw-gateway/model/edge_gateway.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/kube/kind.h"
#include "common/yaml/yaml.h"
#include "egw-gateway/model/edge_gateway_spec.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxInteger = std::numeric_limits<std::int64_t>::max();

Result<GatewayCondition> decode_condition(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject object, field.object());
  GatewayCondition out;
  HOLDFAST_TRY(out.type, object["type"].string());
  HOLDFAST_TRY(out.status, object["status"].string_or(""));
  HOLDFAST_TRY(out.reason, object["reason"].string_or(""));
  HOLDFAST_TRY(out.message, object["message"].string_or(""));
  HOLDFAST_TRY(out.last_transition_time, object["lastTransitionTime"].string_or(""));
  return out;
}

Result<EdgeGatewayStatus::Instance> decode_instance(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject object, field.object());
  EdgeGatewayStatus::Instance out;
  HOLDFAST_TRY(out.name, object["name"].string());
  HOLDFAST_TRY(out.node, object["node"].string_or(""));
  HOLDFAST_TRY(out.ready, object["ready"].boolean_or(false));
  return out;
}

/// The objects that one document stands for.
void decode_document(const json& document, std::vector<Result<EdgeGateway>>& out) {
  const auto object = JsonObject::of(document);
  if (!object) {
    out.emplace_back(tl::unexpected(object.error()));
    return;
  }
  const std::string kind = (*object)["kind"].string_or("").value_or("");
  if (kind == kEdgeGatewayKind) {
    out.push_back(decode_edge_gateway(*object));
  } else if (kind == "List" || kind == kEdgeGatewayListKind) {
    const auto items = (*object)["items"].array_or_empty();
    if (!items) {
      out.emplace_back(tl::unexpected(items.error()));
      return;
    }
    for (const JsonField& item : *items) decode_document(item.raw(), out);
  }
}

}  // namespace

std::optional<IpAddress> address_of(const std::vector<IpAddress>& addresses, IpFamily family) {
  const auto found =
      std::ranges::find_if(addresses, [&](const IpAddress& one) { return one.family() == family; });
  return found == addresses.end() ? std::nullopt : std::optional(*found);
}

std::optional<std::uint16_t> port_of(const AccessPoint& point, std::uint16_t tunnel) {
  const std::uint32_t port = std::uint32_t{point.port} + tunnel;
  if (port > std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

bool tells_the_same(const EdgeGateway& one, const EdgeGateway& other) {
  EdgeGateway same = other;
  same.resource_version = one.resource_version;
  same.generation = one.generation;
  return one == same;
}

bool tells_range(const EdgeGateway& gateway) {
  return !gateway.vpc_cidrs.empty() || !gateway.cloud_pod_cidrs.empty();
}

std::string lost_lists(const EdgeGateway& known, const EdgeGateway& told) {
  std::string out;
  const auto compare = [&out](const char* list, bool had, bool has) {
    if (had && !has) out.append(out.empty() ? "" : ", ").append(list);
  };
  compare("podCIDRs", !known.pod_cidrs.empty(), !told.pod_cidrs.empty());
  compare("vpcCIDRs and cloudPodCIDRs", tells_range(known), tells_range(told));
  compare("accessPoints", !known.access_points.empty(), !told.access_points.empty());
  compare("gateways", !known.gateways.empty(), !told.gateways.empty());
  return out;
}

Result<EdgeGateway> decode_edge_gateway(const JsonObject& object) {
  HOLDFAST_CHECK(kube::check_kind(object, std::string(kEdgeGatewayKind), std::string(kEdgeGatewayGroup)));
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object_or_empty());
  EdgeGateway out;
  HOLDFAST_TRY(out.pool, decode_name(metadata["name"], kLongestName));
  HOLDFAST_TRY(out.uid, metadata["uid"].string_or(""));
  HOLDFAST_TRY(out.resource_version, metadata["resourceVersion"].string_or(""));
  HOLDFAST_TRY(out.generation, metadata["generation"].integer_or(0, 0, kMaxInteger));
  HOLDFAST_TRY(const JsonObject spec, object["spec"].object());
  Status decoded = decode_spec(spec, out);
  if (!decoded) return tl::unexpected(std::move(decoded).error().within(out.pool));
  return out;
}

Result<EdgeGatewayStatus> decode_edge_gateway_status(const JsonObject& object) {
  HOLDFAST_TRY(const JsonObject status, object["status"].object_or_empty());
  EdgeGatewayStatus out;
  HOLDFAST_TRY(out.observed_generation, status["observedGeneration"].integer_or(0, 0, kMaxInteger));
  HOLDFAST_TRY(out.active, status["active"].string_or(""));
  HOLDFAST_TRY(out.last_switch, status["lastSwitch"].string_or(""));
  HOLDFAST_TRY(const std::vector<JsonField> gateways, status["gateways"].array_or_empty());
  for (const JsonField& field : gateways) {
    HOLDFAST_TRY(EdgeGatewayStatus::Instance instance, decode_instance(field));
    out.gateways.push_back(std::move(instance));
  }
  HOLDFAST_TRY(const std::vector<JsonField> conditions, status["conditions"].array_or_empty());
  for (const JsonField& field : conditions) {
    HOLDFAST_TRY(GatewayCondition condition, decode_condition(field));
    out.conditions.push_back(std::move(condition));
  }
  return out;
}

Result<std::vector<Result<EdgeGateway>>> decode_edge_gateway_documents(std::string_view text) {
  HOLDFAST_TRY(const std::vector<json> documents, parse_yaml(text));
  std::vector<Result<EdgeGateway>> out;
  for (const json& document : documents) decode_document(document, out);
  return out;
}

}  // namespace holdfast::gateway
