#include "egw-gateway/controller/pool_tunnels.h"

#include <nlohmann/json.hpp>

#include "common/base/json.h"
#include "egw-gateway/controller/pool_names.h"
#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

std::optional<std::uint16_t> free_pair(const std::set<std::uint16_t>& taken) {
  for (int number = 0; number < kHighestTunnel; number += 2) {
    const auto first = static_cast<std::uint16_t>(number);
    const auto second = static_cast<std::uint16_t>(number + 1);
    if (!taken.contains(first) && !taken.contains(second)) return first;
  }
  return std::nullopt;
}

std::optional<IpAddress> free_address(const Cidr& range, const std::set<IpAddress>& taken) {
  std::optional<IpAddress> next = range.first().plus(1);
  while (next && *next < range.last()) {
    if (!taken.contains(*next)) return next;
    next = next->plus(1);
  }
  return std::nullopt;
}

}  // namespace

std::uint16_t PoolTunnels::number_of(const std::string& gateway) const {
  return static_cast<std::uint16_t>(first + (gateway == kGateways.front() ? 0 : 1));
}

std::string encode_tunnels(const PoolTunnels& tunnels) {
  json out{{"first", tunnels.first}};
  for (const auto& [gateway, addresses] : tunnels.addresses) {
    out[gateway] = json::array();
    for (const IpAddress& address : addresses) out[gateway].push_back(address.to_string());
  }
  return dump_json(out);
}

Result<PoolTunnels> decode_tunnels(const std::string& text) {
  HOLDFAST_TRY(const json document, parse_json(text));
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(document));
  PoolTunnels out;
  HOLDFAST_TRY(const std::int64_t first, object["first"].integer(0, kHighestTunnel - 1));
  if (first % 2 != 0) return object["first"].refuse("is odd");
  out.first = static_cast<std::uint16_t>(first);
  for (const char* gateway : kGateways) {
    HOLDFAST_TRY(const std::vector<JsonField> addresses, object[gateway].array_or_empty());
    for (const JsonField& field : addresses) {
      HOLDFAST_TRY(const IpAddress address, field.address());
      out.addresses[gateway].push_back(address);
    }
  }
  return out;
}

void TakenTunnels::add(const PoolTunnels& tunnels) {
  for (const char* gateway : kGateways) numbers.insert(tunnels.number_of(gateway));
  for (const auto& [gateway, more] : tunnels.addresses) addresses.insert(more.begin(), more.end());
}

Result<PoolTunnels> give_tunnels(const std::vector<Cidr>& ranges, const TakenTunnels& taken) {
  PoolTunnels out;
  const std::optional<std::uint16_t> first = free_pair(taken.numbers);
  if (!first) {
    return fail(Code::kResourceExhausted, "all " + std::to_string(kHighestTunnel + 1) +
                                              " tunnels of the cluster are given: remove a pool");
  }
  out.first = *first;
  std::set<IpAddress> used = taken.addresses;
  for (const char* gateway : kGateways) {
    for (const Cidr& range : ranges) {
      const std::optional<IpAddress> address = free_address(range, used);
      if (!address) {
        return fail(Code::kResourceExhausted,
                    "--tunnel-range " + range.to_string() + " has no free address: tell a wider one");
      }
      used.insert(*address);
      out.addresses[gateway].push_back(*address);
    }
  }
  return out;
}

}  // namespace holdfast::gateway
