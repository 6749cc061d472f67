#include "egw-gateway/model/edge_gateway_spec.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/base/base64.h"

namespace holdfast::gateway {
namespace {

constexpr std::size_t kPublicKeyBytes = 32;
constexpr std::size_t kLongestNodeName = 253;
// Less is more than a small machine can keep up with; more is no liveness.
constexpr std::int64_t kShortestInterval = 10;
constexpr std::int64_t kLongestInterval = 10'000;
constexpr std::int64_t kLongestMultiplier = 50;

/// The rule that an object's name breaks; empty for a good one. Source: RFC 1123.
std::string_view fault_of_name(std::string_view name, std::size_t longest) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  const auto alphanumeric = [&](char c) { return good(c) && c != '-' && c != '.'; };
  if (name.empty()) return "names nothing";
  if (name.size() > longest) return "is too long";
  if (!std::ranges::all_of(name, good)) return "has other characters than a-z, 0-9, '-' and '.'";
  if (!alphanumeric(name.front()) || !alphanumeric(name.back())) return "begins or ends with '-' or '.'";
  return "";
}

Result<int> decode_priority(const JsonField& field) {
  HOLDFAST_TRY(const std::int64_t priority, field.integer_or(0, 0, kHighestPriority));
  return static_cast<int>(priority);
}

/// The elements of a list that has no more than `most`.
Result<std::vector<JsonField>> decode_list(const JsonField& field, std::size_t most) {
  HOLDFAST_TRY(std::vector<JsonField> elements, field.array_or_empty());
  if (elements.size() > most) {
    return fail(Code::kInvalidArgument, field.path() + ": has " + std::to_string(elements.size()) +
                                            " elements, " + std::to_string(most) + " is the most");
  }
  return elements;
}

template <class T>
Result<std::vector<T>> decode_each(const JsonField& field, std::size_t most,
                                   Result<T> (*decode)(const JsonField&)) {
  HOLDFAST_TRY(const std::vector<JsonField> elements, decode_list(field, most));
  std::vector<T> out;
  out.reserve(elements.size());
  for (const JsonField& element : elements) {
    HOLDFAST_TRY(T one, decode(element));
    out.push_back(std::move(one));
  }
  return out;
}

Result<std::vector<Cidr>> decode_ranges(const JsonField& field) {
  HOLDFAST_TRY(const std::vector<JsonField> elements, decode_list(field, kMostRanges));
  std::vector<Cidr> out;
  for (const JsonField& element : elements) {
    HOLDFAST_TRY(const Cidr cidr, element.cidr());
    if (cidr.prefix() == 0) return element.refuse("holds everything, and no node could reach anything else");
    out.push_back(cidr.network());
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Result<LinkKind> decode_link(const JsonField& field) {
  HOLDFAST_TRY(const std::string text, field.string_or("dedicated"));
  for (const LinkKind kind : {LinkKind::kDedicated, LinkKind::kMetered}) {
    if (text == to_string(kind)) return kind;
  }
  return field.refuse("is neither dedicated nor metered");
}

/// Errors: also for an address that no packet can be sent to.
Result<IpAddress> decode_address(const JsonField& field) {
  HOLDFAST_TRY(const IpAddress address, field.address());
  const bool unspecified = std::ranges::all_of(address.bytes(), [](std::uint8_t byte) { return byte == 0; });
  const bool multicast = address.is_v4() ? address.bytes()[0] >= 0xe0 : address.bytes()[0] == 0xff;
  if (unspecified || multicast) return field.refuse("is no address of a machine");
  return address;
}

/// One or two, of one family each.
Result<std::vector<IpAddress>> decode_addresses(const JsonField& field) {
  HOLDFAST_TRY(const std::vector<JsonField> elements, decode_list(field, 2));
  std::vector<IpAddress> out;
  for (const JsonField& element : elements) {
    HOLDFAST_TRY(const IpAddress address, decode_address(element));
    if (address_of(out, address.family())) return element.refuse("is a second address of its family");
    out.push_back(address);
  }
  return out;
}

Result<std::string> decode_public_key(const JsonField& field) {
  HOLDFAST_TRY(std::string key, field.string());
  const Result<std::string> bytes = decode_base64(key);
  if (!bytes || bytes->size() != kPublicKeyBytes) return field.refuse("is not 32 bytes in base64");
  return key;
}

Result<std::uint32_t> decode_mtu(const JsonField& field) {
  if (!field.present()) return 0U;
  HOLDFAST_TRY(const std::int64_t bytes, field.integer(kLeastTunnelMtu, kMostTunnelMtu));
  return static_cast<std::uint32_t>(bytes);
}

Result<AccessPoint> decode_access_point(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject object, field.object());
  AccessPoint out;
  HOLDFAST_TRY(out.name, decode_name(object["name"], kLongestName));
  HOLDFAST_TRY(out.address, decode_address(object["address"]));
  HOLDFAST_TRY(const std::int64_t port, object["port"].integer(1, 65535));
  out.port = static_cast<std::uint16_t>(port);
  HOLDFAST_TRY(out.public_key, decode_public_key(object["publicKey"]));
  HOLDFAST_TRY(out.priority, decode_priority(object["priority"]));
  HOLDFAST_TRY(out.link, decode_link(object["link"]));
  HOLDFAST_TRY(out.tunnel_addresses, decode_addresses(object["tunnelAddresses"]));
  HOLDFAST_TRY(out.mtu, decode_mtu(object["mtu"]));
  return out;
}

Result<std::optional<std::uint16_t>> decode_tunnel(const JsonField& field) {
  if (!field.present()) return std::nullopt;
  HOLDFAST_TRY(const std::int64_t number, field.integer(0, kHighestTunnel));
  return static_cast<std::uint16_t>(number);
}

Result<Gateway> decode_gateway(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject object, field.object());
  Gateway out;
  HOLDFAST_TRY(out.name, decode_name(object["name"], kLongestName));
  HOLDFAST_TRY(out.node, decode_name(object["node"], kLongestNodeName));
  const JsonField addresses = object["podAddresses"];
  HOLDFAST_TRY(out.pod_addresses, decode_addresses(addresses));
  if (out.pod_addresses.empty()) return addresses.refuse("tells no address");
  HOLDFAST_TRY(const std::vector<JsonField> keys, decode_list(object["publicKeys"], 2));
  for (const JsonField& key : keys) {
    HOLDFAST_TRY(std::string text, decode_public_key(key));
    out.public_keys.push_back(std::move(text));
  }
  HOLDFAST_TRY(out.priority, decode_priority(object["priority"]));
  HOLDFAST_TRY(out.tunnel, decode_tunnel(object["tunnel"]));
  HOLDFAST_TRY(out.tunnel_addresses, decode_addresses(object["tunnelAddresses"]));
  return out;
}

Result<PoolMember> decode_node(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject object, field.object());
  PoolMember out;
  HOLDFAST_TRY(out.name, decode_name(object["name"], kLongestNodeName));
  HOLDFAST_TRY(out.pod_cidrs, decode_ranges(object["podCIDRs"]));
  HOLDFAST_TRY(const std::vector<JsonField> addresses, decode_list(object["addresses"], kMostNodeAddresses));
  for (const JsonField& element : addresses) {
    HOLDFAST_TRY(const IpAddress address, decode_address(element));
    out.addresses.push_back(address);
  }
  return out;
}

/// Refuses two elements of which `key` tells the same.
template <class T, class Key>
Status check_unique(const JsonField& field, const std::vector<T>& elements, Key key, std::string_view what) {
  std::set<std::string> seen;
  for (const T& element : elements) {
    const std::string text = key(element);
    if (!seen.insert(text).second) {
      return fail(Code::kInvalidArgument,
                  field.path() + ": two of them have the " + std::string(what) + " '" + text + "'");
    }
  }
  return {};
}

Result<std::vector<AccessPoint>> decode_access_points(const JsonField& field) {
  HOLDFAST_TRY(std::vector<AccessPoint> out, decode_each(field, kMostAccessPoints, decode_access_point));
  HOLDFAST_CHECK(check_unique(
      field, out, [](const AccessPoint& point) { return point.name; }, "name"));
  return out;
}

Result<std::vector<Gateway>> decode_gateways(const JsonField& field) {
  HOLDFAST_TRY(std::vector<Gateway> out, decode_each(field, kMostGateways, decode_gateway));
  HOLDFAST_CHECK(check_unique(
      field, out, [](const Gateway& one) { return one.name; }, "name"));
  // by which one failure would take both
  HOLDFAST_CHECK(check_unique(
      field, out, [](const Gateway& one) { return one.node; }, "node"));
  HOLDFAST_CHECK(check_unique(
      field, out, [](const Gateway& one) { return one.pod_addresses.front().to_string(); }, "address"));
  return out;
}

Result<std::vector<PoolMember>> decode_nodes(const JsonField& field) {
  HOLDFAST_TRY(std::vector<PoolMember> out, decode_each(field, kMostNodes, decode_node));
  HOLDFAST_CHECK(check_unique(
      field, out, [](const PoolMember& one) { return one.name; }, "name"));
  return out;
}

Status check_numbers(const JsonField& field, const EdgeGateway& gateway) {
  std::vector<std::uint16_t> numbers;
  for (const Gateway& one : gateway.gateways) {
    if (!one.tunnel) continue;
    numbers.push_back(*one.tunnel);
    for (const AccessPoint& point : gateway.access_points) {
      if (port_of(point, *one.tunnel)) continue;
      return fail(Code::kInvalidArgument, field.path() + ": tunnel " + std::to_string(*one.tunnel) +
                                              " is beyond the last port at access point '" + point.name +
                                              "', which counts from " + std::to_string(point.port));
    }
  }
  return check_unique(
      field, numbers, [](std::uint16_t number) { return std::to_string(number); }, "tunnel");
}

/// Two tunnels of one number would be one port, two ends of one address one end.
Status check_tunnels(const JsonObject& spec, const EdgeGateway& gateway) {
  HOLDFAST_CHECK(check_numbers(spec["gateways"], gateway));
  std::vector<IpAddress> addresses;
  for (const AccessPoint& point : gateway.access_points) {
    addresses.insert(addresses.end(), point.tunnel_addresses.begin(), point.tunnel_addresses.end());
  }
  for (const Gateway& one : gateway.gateways) {
    addresses.insert(addresses.end(), one.tunnel_addresses.begin(), one.tunnel_addresses.end());
  }
  const JsonField both(nullptr, spec.path() + ".gateways and .accessPoints");
  HOLDFAST_CHECK(check_unique(
      both, addresses, [](const IpAddress& address) { return address.to_string(); }, "tunnel address"));
  for (const IpAddress& address : addresses) {
    for (const Cidr& pods : gateway.pod_cidrs) {
      if (!pods.contains(address)) continue;
      return fail(Code::kInvalidArgument, both.path() + ": the tunnel address " + address.to_string() +
                                              " lies in the pool's pod range " + pods.to_string());
    }
  }
  return {};
}

Result<Liveness> decode_liveness(const JsonObject& object) {
  Liveness out;
  HOLDFAST_TRY(const std::int64_t interval,
               object["intervalMilliseconds"].integer_or(kLivenessInterval.count(), kShortestInterval,
                                                         kLongestInterval));
  out.interval = std::chrono::milliseconds(interval);
  HOLDFAST_TRY(const std::int64_t multiplier,
               object["multiplier"].integer_or(kLivenessMultiplier, 1, kLongestMultiplier));
  out.multiplier = static_cast<int>(multiplier);
  const JsonField secret = object["keySecret"];
  HOLDFAST_TRY(const std::string name, secret.string_or(""));
  if (!name.empty()) {
    HOLDFAST_TRY(out.key_secret, decode_name(secret, kLongestNodeName));
  }
  return out;
}

}  // namespace

Result<std::string> decode_name(const JsonField& field, std::size_t longest) {
  HOLDFAST_TRY(std::string name, field.string());
  const std::string_view fault = fault_of_name(name, longest);
  if (!fault.empty()) return field.refuse(fault);
  return name;
}

Status decode_spec(const JsonObject& spec, EdgeGateway& out) {
  HOLDFAST_TRY(out.pod_cidrs, decode_ranges(spec["podCIDRs"]));
  HOLDFAST_TRY(out.vpc_cidrs, decode_ranges(spec["vpcCIDRs"]));
  HOLDFAST_TRY(out.cloud_pod_cidrs, decode_ranges(spec["cloudPodCIDRs"]));
  HOLDFAST_TRY(out.exempt_cidrs, decode_ranges(spec["exemptCIDRs"]));
  HOLDFAST_TRY(out.access_points, decode_access_points(spec["accessPoints"]));
  HOLDFAST_TRY(out.gateways, decode_gateways(spec["gateways"]));
  HOLDFAST_TRY(out.nodes, decode_nodes(spec["nodes"]));
  HOLDFAST_CHECK(check_tunnels(spec, out));
  HOLDFAST_TRY(const JsonObject liveness, spec["liveness"].object_or_empty());
  HOLDFAST_TRY(out.liveness, decode_liveness(liveness));
  return {};
}

}  // namespace holdfast::gateway
