#include "egw-gateway/access/routes/aggregate.h"

#include <algorithm>
#include <optional>

namespace holdfast::gateway {
namespace {

/// What two blocks are together, when that is one block.
std::optional<Cidr> joined(const Cidr& low, const Cidr& high) {
  if (low.family() != high.family() || low.prefix() != high.prefix() || low.prefix() == 0) return {};
  const Result<Cidr> both = Cidr::make(low.address(), low.prefix() - 1U);
  if (!both || low == high || both->network().address() != low.address() || !both->contains(high)) return {};
  return *both;
}

}  // namespace

std::vector<Cidr> aggregate(std::vector<Cidr> ranges) {
  for (Cidr& range : ranges) range = range.network();
  // a block stands before those that it holds
  std::ranges::sort(ranges);
  std::vector<Cidr> out;
  for (const Cidr& range : ranges) {
    if (!out.empty() && out.back().contains(range)) continue;
    out.push_back(range);
    while (out.size() > 1) {
      const std::optional<Cidr> both = joined(out[out.size() - 2], out.back());
      if (!both) break;
      out.pop_back();
      out.back() = *both;
    }
  }
  return out;
}

}  // namespace holdfast::gateway
