#pragma once

#include <string>
#include <string_view>

#include "common/kube/names.h"
#include "common/kube/object.h"

/// The names by which the API server knows csi-lvm's objects.
namespace holdfast::lvm {

using kube::kStorageApiVersion;
using kube::kStorageGroup;
using kube::kStorageVersion;

inline constexpr const char* kLogicalVolumeKind = "LogicalVolume";
inline constexpr const char* kLogicalVolumePlural = "logicalvolumes";
inline constexpr const char* kNodeStorageKind = "NodeStorage";
inline constexpr const char* kNodeStoragePlural = "nodestorages";

/// On a LogicalVolume until its node has removed the volume.
inline constexpr const char* kVolumeFinalizer = "storage.holdfast.dev/logical-volume";
/// On a LogicalVolume: node_hash() of its node, by which a node asks for its own. A node's name may be longer
/// than a label's value.
inline constexpr const char* kNodeLabel = "storage.holdfast.dev/node";

/// Twelve hex digits that stand for a node.
[[nodiscard]] std::string node_hash(std::string_view node);

/// The name of the object of a volume or snapshot on a node: `<volume>.<hash(node)>`. A volume's name that an
/// object's cannot begin with (capitals, '_', '+', too long) is replaced by "v-" and a hash of it.
[[nodiscard]] std::string object_name(std::string_view volume, std::string_view node);

[[nodiscard]] inline kube::Resource logical_volumes() {
  return {.group = kStorageGroup, .version = kStorageVersion, .plural = kLogicalVolumePlural};
}
[[nodiscard]] inline kube::Resource node_storages() {
  return {.group = kStorageGroup, .version = kStorageVersion, .plural = kNodeStoragePlural};
}

}  // namespace holdfast::lvm
