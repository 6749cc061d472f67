#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "egw-gateway/access/access_plan.h"
#include "egw-gateway/access/routes/route_table.h"
#include "egw-gateway/choice/gateway_choice.h"

namespace holdfast::gateway {

/// The way to one gateway, as it is seen. Time is since boot.
struct WaySight {
  int ifindex = 0;  ///< of its tunnel; 0: there is none
  LivenessState state = LivenessState::kUnknown;
  std::optional<std::chrono::nanoseconds> went_down{};  ///< last; nullopt: it did not
};

/// How a pool is reached.
struct PoolSight {
  std::string active{};                            ///< gateway; empty: none
  std::chrono::nanoseconds seen_since{};           ///< when it was looked at first
  std::optional<std::chrono::nanoseconds> lost{};  ///< when its last gateway was; nullopt: there was none
  std::map<std::string, WaySight> ways{};          ///< by gateway
};

/// What is published of pools' ranges and of their gateways' addresses.
///
/// A pool's range follows the choice of its gateway, in this machine's table. All else is slow to go, so that
/// what others learn does not flap with a line: a gateway's address goes when it has been down for kHoldDown,
/// and a range from the VPC's table when there has been no gateway for as long.
struct PublishedRanges {
  std::vector<PodRange> here;  ///< for this machine's table
  /// For the VPC's. nullopt: a gateway is neither heard nor missed, as after a start: what stands there is
  /// left as it is, as it may be what packets go by.
  std::optional<std::vector<PodRange>> vpc;
  bool time_matters = false;  ///< it may be another soon, though nothing happens

  bool operator==(const PublishedRanges&) const = default;
};

/// `sights`: by pool; one that is not among them is reached by nobody. Pure.
[[nodiscard]] PublishedRanges published_ranges(const std::vector<ServedPool>& pools,
                                               const std::map<std::string, PoolSight>& sights,
                                               std::chrono::nanoseconds now);

}  // namespace holdfast::gateway
