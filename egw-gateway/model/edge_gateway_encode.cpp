#include <nlohmann/json.hpp>
#include <utility>

#include "egw-gateway/model/edge_gateway.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

void put(json& object, const char* key, const std::string& text) {
  if (!text.empty()) object[key] = text;
}

void put(json& object, const char* key, const std::vector<Cidr>& ranges) {
  for (const Cidr& range : ranges) object[key].push_back(range.to_string());
}

void put(json& object, const char* key, const std::vector<IpAddress>& addresses) {
  for (const IpAddress& address : addresses) object[key].push_back(address.to_string());
}

json encode(const AccessPoint& point) {
  json out{{"name", point.name},         {"address", point.address.to_string()},
           {"port", point.port},         {"publicKey", point.public_key},
           {"priority", point.priority}, {"link", to_string(point.link)}};
  put(out, "tunnelAddresses", point.tunnel_addresses);
  if (point.mtu != 0) out["mtu"] = point.mtu;
  return out;
}

json encode(const Gateway& gateway) {
  json out{{"name", gateway.name}, {"node", gateway.node}, {"priority", gateway.priority}};
  put(out, "podAddresses", gateway.pod_addresses);
  for (const std::string& key : gateway.public_keys) out["publicKeys"].push_back(key);
  if (gateway.tunnel) out["tunnel"] = *gateway.tunnel;
  put(out, "tunnelAddresses", gateway.tunnel_addresses);
  return out;
}

json encode(const PoolMember& node) {
  json out{{"name", node.name}};
  put(out, "podCIDRs", node.pod_cidrs);
  put(out, "addresses", node.addresses);
  return out;
}

json encode(const Liveness& liveness) {
  json out{{"intervalMilliseconds", liveness.interval.count()}, {"multiplier", liveness.multiplier}};
  put(out, "keySecret", liveness.key_secret);
  return out;
}

json encode(const GatewayCondition& condition) {
  json out{{"type", condition.type}, {"status", condition.status}};
  put(out, "reason", condition.reason);
  put(out, "message", condition.message);
  put(out, "lastTransitionTime", condition.last_transition_time);
  return out;
}

}  // namespace

std::string_view to_string(LinkKind kind) { return kind == LinkKind::kDedicated ? "dedicated" : "metered"; }

json encode_edge_gateway(const EdgeGateway& gateway) {
  json metadata{{"name", gateway.pool}};
  put(metadata, "uid", gateway.uid);
  put(metadata, "resourceVersion", gateway.resource_version);
  if (gateway.generation != 0) metadata["generation"] = gateway.generation;
  json spec{{"liveness", encode(gateway.liveness)}};
  put(spec, "podCIDRs", gateway.pod_cidrs);
  put(spec, "vpcCIDRs", gateway.vpc_cidrs);
  put(spec, "cloudPodCIDRs", gateway.cloud_pod_cidrs);
  put(spec, "exemptCIDRs", gateway.exempt_cidrs);
  for (const AccessPoint& point : gateway.access_points) spec["accessPoints"].push_back(encode(point));
  for (const Gateway& one : gateway.gateways) spec["gateways"].push_back(encode(one));
  for (const PoolMember& node : gateway.nodes) spec["nodes"].push_back(encode(node));
  return {{"apiVersion", kEdgeGatewayApiVersion},
          {"kind", kEdgeGatewayKind},
          {"metadata", std::move(metadata)},
          {"spec", std::move(spec)}};
}

json encode_edge_gateway_status(const EdgeGatewayStatus& status) {
  json out{{"observedGeneration", status.observed_generation}, {"active", status.active}};
  put(out, "lastSwitch", status.last_switch);
  for (const EdgeGatewayStatus::Instance& one : status.gateways) {
    out["gateways"].push_back({{"name", one.name}, {"node", one.node}, {"ready", one.ready}});
  }
  for (const GatewayCondition& condition : status.conditions) {
    out["conditions"].push_back(encode(condition));
  }
  return out;
}

}  // namespace holdfast::gateway
