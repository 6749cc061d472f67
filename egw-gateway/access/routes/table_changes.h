#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "egw-gateway/access/routes/route_table.h"

namespace holdfast::gateway {

/// What is to be done to a table, in this order. A range that is reached stays so at every step: what nobody
/// wants any more goes first, as it makes room, but what a wanted range is to take the place of (two halves
/// that become one) goes last.
struct TableChanges {
  struct Put {
    PodRange range;
    std::optional<TableRoute> there;
    bool operator==(const Put&) const = default;
  };
  std::vector<TableRoute> drops;  ///< lead to nothing that is wanted
  std::vector<Put> puts;
  std::vector<TableRoute> late_drops;  ///< while all that they overlap with stands
  std::vector<Cidr> standing;          ///< wanted, and there
  std::vector<Cidr> settling;          ///< wanted, and on the way
  std::map<Cidr, RouteError> troubles;

  [[nodiscard]] bool done() const {
    return drops.empty() && puts.empty() && late_drops.empty() && settling.empty();
  }
};

/// The ranges that lead somewhere, as they are published: as few as can be, of each tunnel where the table
/// knows them.
[[nodiscard]] std::vector<PodRange> aggregate(const std::vector<PodRange>& ranges, bool knows_tunnels);

/// What takes `there` to `wanted`, which is aggregated. `given_up` are ranges that nothing more is tried for.
/// Of a range that is wanted twice the first counts. Pure.
[[nodiscard]] TableChanges plan_routes(const std::vector<PodRange>& wanted,
                                       const std::vector<TableRoute>& there,
                                       const std::map<Cidr, RouteError>& given_up);

}  // namespace holdfast::gateway
