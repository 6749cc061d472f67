#include "cni-flannel/controller/pool_blocks.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "common/base/result.h"

namespace holdfast::flannel {
namespace {

PoolBlocks divide(const PodRanges& ranges, const NetworkPlanOptions& options) {
  PoolBlocks out{.families = {}, .fault = ranges.fault};
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    std::vector<Cidr> of_one;
    std::ranges::copy_if(ranges.cidrs, std::back_inserter(of_one),
                         [&](const Cidr& cidr) { return cidr.family() == family; });
    if (of_one.empty() || !out.fault.empty()) continue;
    const bool v4 = family == IpFamily::kV4;
    Result<CidrBlocks> blocks =
        CidrBlocks::divide(of_one, v4 ? options.node_prefix_v4 : options.node_prefix_v6);
    if (blocks) {
      out.families.emplace_back(family, *std::move(blocks));
    } else {
      out.fault = blocks.error().message;
    }
  }
  return out;
}

}  // namespace

std::vector<Cidr> take_fresh(PoolBlocks& blocks) {
  const bool room =
      std::ranges::all_of(blocks.families, [](const auto& each) { return each.second.free() > 0; });
  std::vector<Cidr> out;
  for (auto& [family, of_one] : blocks.families) {
    const std::optional<Cidr> block = room ? of_one.take_next() : std::nullopt;
    if (block) out.push_back(*block);
  }
  return out;
}

AllBlocks::AllBlocks(const std::map<std::string, PodRanges>& pools, const NetworkPlanOptions& options) {
  blocks_[""] = divide({.cidrs = options.cluster_cidrs, .most_nodes = {}, .fault = {}}, options);
  for (const auto& [pool, ranges] : pools) blocks_[pool] = divide(ranges, options);
}

void AllBlocks::take(const Cidr& cidr) {
  for (auto& [pool, blocks] : blocks_) {
    for (auto& [family, of_family] : blocks.families) {
      if (family == cidr.family()) of_family.take(cidr);
    }
  }
}

}  // namespace holdfast::flannel
