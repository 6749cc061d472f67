#include "cni-flannel/plugin/cni_result.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"

namespace holdfast::cni {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxU32 = std::numeric_limits<std::uint32_t>::max();

void put_text(json& object, const char* name, const std::string& value) {
  if (!value.empty()) object[name] = value;
}

void put_number(json& object, const char* name, std::uint32_t value) {
  if (value != 0) object[name] = value;
}

void put_list(json& object, const char* name, json list) {
  if (!list.empty()) object[name] = std::move(list);
}

json interface_json(const Interface& interface, SpecVersion version) {
  json object = {{"name", interface.name}};
  put_text(object, "mac", interface.mac);
  put_text(object, "sandbox", interface.sandbox);
  if (version >= SpecVersion::k1_1_0) {
    put_number(object, "mtu", interface.mtu);
    put_text(object, "socketPath", interface.socket_path);
    put_text(object, "pciID", interface.pci_id);
  }
  return object;
}

json ip_json(const AssignedIp& ip, SpecVersion version) {
  json object = {{"address", ip.address.to_string()}};
  if (version < SpecVersion::k1_0_0) object["version"] = ip.address.is_v4() ? "4" : "6";
  if (ip.gateway) object["gateway"] = ip.gateway->to_string();
  if (ip.interface) object["interface"] = *ip.interface;
  return object;
}

json route_json(const Route& route, SpecVersion version) {
  json object = {{"dst", route.dst.to_string()}};
  if (route.gw) object["gw"] = route.gw->to_string();
  if (version >= SpecVersion::k1_1_0) {
    put_number(object, "mtu", route.mtu);
    put_number(object, "advmss", route.advmss);
    put_number(object, "priority", route.priority);
    if (route.table) object["table"] = *route.table;
    if (route.scope) object["scope"] = *route.scope;
  }
  return object;
}

json dns_json(const Dns& dns) {
  json object = json::object();
  put_list(object, "nameservers", dns.nameservers);
  put_text(object, "domain", dns.domain);
  put_list(object, "search", dns.search);
  put_list(object, "options", dns.options);
  return object;
}

/// ip4 or ip6 of the versions before 0.3.0: the family's first address and its routes; null without an
/// address.
json family_json(const AddResult& result, IpFamily family, SpecVersion version) {
  for (const AssignedIp& ip : result.ips) {
    if (ip.address.family() != family) continue;
    json object = {{"ip", ip.address.to_string()}};
    if (ip.gateway) object["gateway"] = ip.gateway->to_string();
    json routes = json::array();
    for (const Route& route : result.routes) {
      if (route.dst.family() == family) routes.push_back(route_json(route, version));
    }
    put_list(object, "routes", std::move(routes));
    return object;
  }
  return {};
}

void put_addresses(json& object, const AddResult& result, SpecVersion version) {
  if (version < SpecVersion::k0_3_0) {
    if (json v4 = family_json(result, IpFamily::kV4, version); !v4.is_null()) object["ip4"] = std::move(v4);
    if (json v6 = family_json(result, IpFamily::kV6, version); !v6.is_null()) object["ip6"] = std::move(v6);
    return;
  }
  json interfaces = json::array();
  for (const Interface& interface : result.interfaces)
    interfaces.push_back(interface_json(interface, version));
  json ips = json::array();
  for (const AssignedIp& ip : result.ips) ips.push_back(ip_json(ip, version));
  json routes = json::array();
  for (const Route& route : result.routes) routes.push_back(route_json(route, version));
  put_list(object, "interfaces", std::move(interfaces));
  put_list(object, "ips", std::move(ips));
  put_list(object, "routes", std::move(routes));
}

/// Absent and empty are the same, as for Go's net.IP.
Result<std::optional<IpAddress>> read_address(const JsonField& field) {
  HOLDFAST_TRY(const std::string text, field.string_or(""));
  if (text.empty()) return std::nullopt;
  HOLDFAST_TRY(const IpAddress address, field.address());
  return address;
}

/// 0 when absent.
Result<std::uint32_t> read_u32(const JsonField& field) {
  HOLDFAST_TRY(const std::int64_t number, field.integer_or(0, 0, kMaxU32));
  return static_cast<std::uint32_t>(number);
}

Result<Interface> read_interface(const JsonObject& object) {
  Interface interface;
  HOLDFAST_TRY(interface.name, object["name"].string_or(""));
  HOLDFAST_TRY(interface.mac, object["mac"].string_or(""));
  HOLDFAST_TRY(interface.mtu, read_u32(object["mtu"]));
  HOLDFAST_TRY(interface.sandbox, object["sandbox"].string_or(""));
  HOLDFAST_TRY(interface.socket_path, object["socketPath"].string_or(""));
  HOLDFAST_TRY(interface.pci_id, object["pciID"].string_or(""));
  return interface;
}

/// `interfaces`: how many the result has. A negative index, which some plugins write, is none.
Result<AssignedIp> read_ip(const JsonObject& object, std::size_t interfaces) {
  AssignedIp ip;
  HOLDFAST_TRY(ip.address, object["address"].cidr());
  HOLDFAST_TRY(ip.gateway, read_address(object["gateway"]));
  HOLDFAST_TRY(const std::int64_t index, object["interface"].integer_or(-1, -kMaxU32, kMaxU32));
  if (index < 0) return ip;
  if (std::cmp_greater_equal(index, interfaces)) {
    return object["interface"].refuse("is beyond the last of " + std::to_string(interfaces) + " interfaces");
  }
  ip.interface = static_cast<std::uint32_t>(index);
  return ip;
}

Result<Route> read_route(const JsonObject& object) {
  constexpr std::int64_t kMaxScope = 255;
  Route route;
  HOLDFAST_TRY(route.dst, object["dst"].cidr());
  HOLDFAST_TRY(route.gw, read_address(object["gw"]));
  HOLDFAST_TRY(route.mtu, read_u32(object["mtu"]));
  HOLDFAST_TRY(route.advmss, read_u32(object["advmss"]));
  HOLDFAST_TRY(route.priority, read_u32(object["priority"]));
  if (const JsonField table = object["table"]; table.present()) {
    HOLDFAST_TRY(route.table, read_u32(table));
  }
  HOLDFAST_TRY(const std::int64_t scope, object["scope"].integer_or(-1, 0, kMaxScope));
  if (scope >= 0) route.scope = static_cast<std::uint8_t>(scope);
  return route;
}

/// Appends to `out` what `read` makes of each object in the list.
template <class T, class Read>
Status read_each(const JsonField& list, std::vector<T>& out, Read read) {
  HOLDFAST_TRY(const std::vector<JsonField> elements, list.array_or_empty());
  for (const JsonField& element : elements) {
    HOLDFAST_TRY(const JsonObject object, element.object());
    HOLDFAST_TRY(T value, read(object));
    out.push_back(std::move(value));
  }
  return {};
}

/// ip4 or ip6 of the versions before 0.3.0.
Status read_family(const JsonField& field, AddResult& result) {
  if (!field.present()) return {};
  HOLDFAST_TRY(const JsonObject object, field.object());
  AssignedIp ip;
  HOLDFAST_TRY(ip.address, object["ip"].cidr());
  HOLDFAST_TRY(ip.gateway, read_address(object["gateway"]));
  result.ips.push_back(ip);
  return read_each(object["routes"], result.routes, read_route);
}

Result<Dns> read_dns(const JsonObject& object) {
  Dns dns;
  HOLDFAST_TRY(dns.nameservers, object["nameservers"].strings_or_empty());
  HOLDFAST_TRY(dns.domain, object["domain"].string_or(""));
  HOLDFAST_TRY(dns.search, object["search"].strings_or_empty());
  HOLDFAST_TRY(dns.options, object["options"].strings_or_empty());
  return dns;
}

Result<AddResult> read_result(const JsonObject& top) {
  AddResult result;
  HOLDFAST_CHECK(read_family(top["ip4"], result));
  HOLDFAST_CHECK(read_family(top["ip6"], result));
  HOLDFAST_CHECK(read_each(top["interfaces"], result.interfaces, read_interface));
  HOLDFAST_CHECK(read_each(top["ips"], result.ips,
                           [&](const JsonObject& ip) { return read_ip(ip, result.interfaces.size()); }));
  HOLDFAST_CHECK(read_each(top["routes"], result.routes, read_route));
  HOLDFAST_TRY(const JsonObject dns, top["dns"].object_or_empty());
  HOLDFAST_TRY(result.dns, read_dns(dns));
  return result;
}

CniStatus check_version(const JsonField& field) {
  HOLDFAST_TRY(const std::string version, to_cni(field.string_or(""), CniCode::kDecode));
  if (version.empty() || parse_version(version)) return {};
  return cni_fail(CniCode::kIncompatibleVersion, field.path() + ": '" + version + "' is not supported",
                  "supported are " + list_versions());
}

}  // namespace

std::string to_json(const AddResult& result, SpecVersion version) {
  json object = {{"cniVersion", to_string(version)}};
  put_addresses(object, result, version);
  put_list(object, "dns", dns_json(result.dns));
  return dump_json(object);
}

CniResult<AddResult> parse_result(const JsonPart& part, std::string_view where) {
  if (part == nullptr || !part->is_object()) {
    return cni_fail(CniCode::kDecode, std::string(where) + ": it must be a JSON object, is " + to_text(part));
  }
  const JsonObject top(part.get(), std::string(where));
  HOLDFAST_CHECK(check_version(top["cniVersion"]));
  return to_cni(read_result(top), CniCode::kDecode);
}

CniResult<AddResult> parse_result(std::string_view text, std::string_view where) {
  HOLDFAST_TRY(const JsonPart part, to_cni(parse_document(text, where), CniCode::kDecode));
  return parse_result(part, where);
}

CniResult<std::optional<Dns>> parse_dns(const JsonPart& conf, std::string_view where) {
  const auto read = [&]() -> Result<std::optional<Dns>> {
    HOLDFAST_TRY(const JsonObject object,
                 JsonObject(conf.get(), std::string(where))["dns"].object_or_empty());
    HOLDFAST_TRY(Dns dns, read_dns(object));
    const bool is_set = !dns.domain.empty() || object["nameservers"].present() ||
                        object["search"].present() || object["options"].present();
    return is_set ? std::optional(std::move(dns)) : std::nullopt;
  };
  return to_cni(read(), CniCode::kInvalidConfig);
}

CniResult<std::vector<Route>> parse_routes(const JsonPart& list, std::string_view where) {
  std::vector<Route> routes;
  HOLDFAST_CHECK(to_cni(read_each(JsonField(list.get(), std::string(where)), routes, read_route),
                        CniCode::kInvalidConfig));
  return routes;
}

}  // namespace holdfast::cni
