#include "egw-gateway/controller/connections.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"
#include "common/kube/node_pools.h"
#include "common/yaml/yaml.h"
#include "egw-gateway/model/routed_ranges.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

Result<std::string> read_id(const JsonObject& entry, const char* member) {
  const JsonField field = entry[member];
  HOLDFAST_TRY(std::string id, field.string());
  if (id.empty()) return field.refuse("names nothing");
  return id;
}

// One reader for ranges and access points: that of the object in which they end up.
Result<EdgeGateway> read_spec(json spec) {
  for (const char* member : {"cenId", "ccnId", "ccnRegion", "podCIDRs", "gateways"}) spec.erase(member);
  json object{{"apiVersion", kEdgeGatewayApiVersion}, {"kind", kEdgeGatewayKind}};
  object["metadata"] = {{"name", "connection"}};
  object["spec"] = std::move(spec);
  HOLDFAST_TRY(EdgeGateway out, decode_edge_gateway(JsonObject(&object, "")));
  if (out.vpc_cidrs.empty()) return fail(Code::kInvalidArgument, "spec.vpcCIDRs: is missing");
  if (out.access_points.empty()) return fail(Code::kInvalidArgument, "spec.accessPoints: is missing");
  return out;
}

Result<Connection> read_connection(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject entry, field.object());
  Connection out;
  HOLDFAST_TRY(out.cen_id, read_id(entry, "cenId"));
  HOLDFAST_TRY(out.ccn_id, read_id(entry, "ccnId"));
  HOLDFAST_TRY(out.ccn_region, read_id(entry, "ccnRegion"));
  Result<EdgeGateway> spec = read_spec(field.raw());
  if (!spec) return tl::unexpected(std::move(spec).error().within(field.path()));
  out.gateway = *std::move(spec);
  return out;
}

std::vector<Cidr> reached_by(const EdgeGateway& gateway) {
  std::vector<Cidr> out = gateway.vpc_cidrs;
  out.insert(out.end(), gateway.cloud_pod_cidrs.begin(), gateway.cloud_pod_cidrs.end());
  return out;
}

/// An exemption of a whole range would open it.
Status exempt_services(const std::vector<Cidr>& services, EdgeGateway& gateway) {
  for (const Cidr& service : services) {
    for (const Cidr& range : reached_by(gateway)) {
      if (service.contains(range)) {
        return fail(Code::kInvalidArgument, "serviceCIDRs: " + service.to_string() + " holds all of " +
                                                range.to_string() + ", which pods are to reach in the cloud");
      }
      const bool known = std::ranges::find(gateway.exempt_cidrs, service) != gateway.exempt_cidrs.end();
      if (range.contains(service) && !known) gateway.exempt_cidrs.push_back(service);
    }
  }
  std::ranges::sort(gateway.exempt_cidrs);
  return {};
}

/// Exempt addresses that lie scattered would make a table of routes, and a list of rules, without end.
Status check_blocks(const EdgeGateway& gateway) {
  const std::string trouble = trouble_with_blocks(routed_ranges(gateway, exemptions(gateway)).ranges.size());
  return trouble.empty() ? Status{} : fail(Code::kInvalidArgument, trouble);
}

}  // namespace

Result<std::vector<Connection>> parse_connections(std::string_view text, std::string_view services) {
  std::vector<Cidr> service_ranges;
  if (!services.empty()) {
    Result<std::vector<Cidr>> parsed = kube::parse_pod_cidrs(services);
    if (!parsed) return tl::unexpected(std::move(parsed).error().within("serviceCIDRs"));
    service_ranges = *std::move(parsed);
  }
  HOLDFAST_TRY(const std::vector<json> documents, parse_yaml(text));
  if (documents.size() > 1) return fail(Code::kInvalidArgument, "connections: is more than one document");
  const json none;
  const JsonField list(documents.empty() || documents.front().is_null() ? &none : &documents.front(),
                       "connections");
  if (list.raw().is_null()) return std::vector<Connection>{};
  HOLDFAST_TRY(const std::vector<JsonField> entries, list.array());
  std::vector<Connection> out;
  for (const JsonField& entry : entries) {
    HOLDFAST_TRY(Connection connection, read_connection(entry));
    HOLDFAST_CHECK(exempt_services(service_ranges, connection.gateway));
    Status scattered = check_blocks(connection.gateway);
    if (!scattered) return tl::unexpected(std::move(scattered).error().within(entry.path()));
    if (find_connection(out, connection.cen_id, connection.ccn_id, connection.ccn_region) != nullptr) {
      return fail(Code::kInvalidArgument, entry.path() + ": another entry has the same ids");
    }
    out.push_back(std::move(connection));
  }
  return out;
}

std::optional<Cidr> range_that_takes(const Connection& connection, const IpAddress& address) {
  const auto holds = [&](const Cidr& range) { return range.contains(address); };
  if (std::ranges::any_of(connection.gateway.exempt_cidrs, holds)) return std::nullopt;
  const std::vector<Cidr> reached = reached_by(connection.gateway);
  const auto found = std::ranges::find_if(reached, holds);
  return found == reached.end() ? std::nullopt : std::optional(*found);
}

const Connection* find_connection(const std::vector<Connection>& connections, const std::string& cen_id,
                                  const std::string& ccn_id, const std::string& ccn_region) {
  for (const Connection& each : connections) {
    if (each.cen_id == cen_id && each.ccn_id == ccn_id && each.ccn_region == ccn_region) return &each;
  }
  return nullptr;
}

}  // namespace holdfast::gateway
