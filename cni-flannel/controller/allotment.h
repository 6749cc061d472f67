#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "cni-flannel/controller/network_sight.h"
#include "common/base/cidr.h"

namespace holdfast::flannel {

/// What stands in the status of a node's object, by this controller alone:
///
///     podCIDRs   what its Node has; what it had, while that is not known
///     freed      what it had before, each with the time since when it has it no more
///
/// Both are written together, so that what a node had is always in one of them: also when it is deleted,
/// registers again in another pool, and this controller is started anew between.
struct Allotment {
  /// The oldest go first: a node that has registered again that often in the time of quarantine.
  static constexpr std::size_t kMostFreed = 64;

  std::vector<Cidr> cidrs{};
  std::vector<FreedCidr> freed{};

  bool operator==(const Allotment&) const = default;
};

/// What the node of this object had last. An object from before there were allotments tells it itself.
[[nodiscard]] std::vector<Cidr> former_cidrs(const SeenObject& object);

/// What the object of node `name` is to have. What was freed for `quarantine` is left out.
[[nodiscard]] Allotment allotment(const NetworkSight& sight, const std::string& name,
                                  std::chrono::seconds quarantine, std::chrono::sys_seconds now);

}  // namespace holdfast::flannel
