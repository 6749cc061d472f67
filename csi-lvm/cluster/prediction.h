#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/result.h"
#include "csi-lvm/cluster/node_storage.h"
#include "csi-lvm/cluster/volume_object.h"
#include "csi-lvm/volumes/capacity.h"
#include "csi-lvm/volumes/parameters.h"

/// What a controller expects of a node's room, which the node alone decides:
///
///     available = free - volumes that were asked for and are not in the figures - spare
namespace holdfast::lvm {

/// A node that has told nothing for so long may be dead: nothing is asked of it.
inline constexpr std::chrono::seconds kStaleAfter{90};

/// A node as a controller sees it at one moment. What it points to outlives it.
struct NodeFigures {
  const NodeStorageStatus* storage = nullptr;  ///< null: it has never told anything
  bool stale = true;
  std::vector<const LogicalVolumeObject*> volumes{};  ///< all objects that are for it
};

/// The node's figures less what was asked for since. Empty for one that is stale or unknown.
[[nodiscard]] std::unique_ptr<CapacityBook> predicted_book(const NodeFigures& node);

/// What the node can still give by these parameters; nothing at all when it is stale, or lacks the group or
/// pool.
[[nodiscard]] Capacity predicted_capacity(const NodeFigures& node, const Parameters& parameters);

/// Errors: kResourceExhausted when the node will answer that it has no room for this.
[[nodiscard]] Status predict(const NodeFigures& node, const LogicalVolumeSpec& wanted);

}  // namespace holdfast::lvm
