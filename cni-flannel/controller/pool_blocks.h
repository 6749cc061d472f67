#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cni-flannel/controller/cidr_blocks.h"
#include "cni-flannel/controller/network_plan.h"
#include "common/base/cidr.h"

namespace holdfast::flannel {

/// The blocks of one pool's, or the cluster's, ranges.
struct PoolBlocks {
  std::vector<std::pair<IpFamily, CidrBlocks>> families;  ///< those that it has ranges of
  std::string fault;                                      ///< why there are none
};

/// A block of each of its families that nobody has; none where one of them has no room.
[[nodiscard]] std::vector<Cidr> take_fresh(PoolBlocks& blocks);

/// Those of all pools, and of the cluster.
class AllBlocks {
 public:
  AllBlocks(const std::map<std::string, PodRanges>& pools, const NetworkPlanOptions& options);

  /// Empty: the cluster's.
  PoolBlocks& of(const std::string& pool) { return blocks_[pool]; }
  /// Nobody else gets any of it, whosever range it is in.
  void take(const Cidr& cidr);

 private:
  std::map<std::string, PoolBlocks> blocks_;  // by pool; "" is the cluster's
};

}  // namespace holdfast::flannel
