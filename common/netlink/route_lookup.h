#pragma once

#include <span>

#include "common/base/cidr.h"
#include "common/netlink/route.h"

namespace holdfast::nl {

/// The route of a main table by which `address` is reached: of the longest prefix, then the lowest metric.
/// Those by `ignored_link` (0: none) do not count. nullptr when there is none.
[[nodiscard]] const Route* best_route(std::span<const Route> routes, const IpAddress& address,
                                      int ignored_link = 0);

}  // namespace holdfast::nl
