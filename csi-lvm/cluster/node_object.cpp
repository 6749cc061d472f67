#include "csi-lvm/cluster/node_object.h"

#include <string>
#include <vector>

namespace holdfast::lvm {
namespace {

constexpr const char* kOutOfService = "node.kubernetes.io/out-of-service";

}  // namespace

Result<NodeObject> decode_node(const JsonObject& object) {
  NodeObject out;
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object());
  HOLDFAST_TRY(out.id.name, metadata["name"].string());
  HOLDFAST_TRY(out.id.uid, metadata["uid"].string_or(""));
  HOLDFAST_TRY(out.id.resource_version, metadata["resourceVersion"].string_or(""));
  HOLDFAST_TRY(const JsonObject spec, object["spec"].object_or_empty());
  HOLDFAST_TRY(const std::vector<JsonField> taints, spec["taints"].array_or_empty());
  for (const JsonField& field : taints) {
    HOLDFAST_TRY(const JsonObject taint, field.object());
    HOLDFAST_TRY(const std::string key, taint["key"].string_or(""));
    out.out_of_service = out.out_of_service || key == kOutOfService;
  }
  return out;
}

}  // namespace holdfast::lvm
