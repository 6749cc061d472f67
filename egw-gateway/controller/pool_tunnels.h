#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"

namespace holdfast::gateway {

/// What a pool's gateways have of the cluster's tunnels, of which no other pool has any part: two numbers in
/// a row, and an address of each family for each gateway. Given once, and kept for as long as the pool has
/// anything of ours: access points listen by it.
struct PoolTunnels {
  std::uint16_t first = 0;                                    ///< gateway a's number, even; b's is the next
  std::map<std::string, std::vector<IpAddress>> addresses{};  ///< by gateway

  [[nodiscard]] std::uint16_t number_of(const std::string& gateway) const;
  bool operator==(const PoolTunnels&) const = default;
};

/// As an annotation: {"first": 6, "a": [ADDRESS], "b": [ADDRESS]}. Errors: kInvalidArgument.
[[nodiscard]] std::string encode_tunnels(const PoolTunnels& tunnels);
[[nodiscard]] Result<PoolTunnels> decode_tunnels(const std::string& text);

/// What others have.
struct TakenTunnels {
  std::set<std::uint16_t> numbers{};
  std::set<IpAddress> addresses{};

  void add(const PoolTunnels& tunnels);
};

/// The lowest numbers and addresses that are free; of a range neither the first nor the last address. Errors:
/// kResourceExhausted, with the cure. Pure.
[[nodiscard]] Result<PoolTunnels> give_tunnels(const std::vector<Cidr>& ranges, const TakenTunnels& taken);

}  // namespace holdfast::gateway
