#pragma once

#include <vector>

#include "common/base/cidr.h"

namespace holdfast::gateway {

/// The fewest blocks that hold the same addresses, not one more, in order. Pure.
[[nodiscard]] std::vector<Cidr> aggregate(std::vector<Cidr> ranges);

}  // namespace holdfast::gateway
