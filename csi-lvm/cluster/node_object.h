#pragma once

#include "common/base/json.h"
#include "common/base/result.h"
#include "common/kube/object.h"

namespace holdfast::lvm {

/// What of a Node counts for its storage.
struct NodeObject {
  kube::ObjectId id{};
  bool out_of_service = false;  ///< tainted node.kubernetes.io/out-of-service: it is off, an operator says

  bool operator==(const NodeObject&) const = default;
};
/// Errors: kInvalidArgument.
[[nodiscard]] Result<NodeObject> decode_node(const JsonObject& object);

}  // namespace holdfast::lvm
