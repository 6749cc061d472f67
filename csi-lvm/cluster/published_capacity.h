#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"
#include "common/kube/object.h"
#include "csi-lvm/cluster/cluster_state.h"

/// What the scheduler is told of a node's room for a class: a CSIStorageCapacity (storage.k8s.io) for each
/// StorageClass of ours and each node. Source: https://kubernetes.io/docs/concepts/storage/storage-capacity/
namespace holdfast::lvm {

struct StorageClassObject {
  kube::ObjectId id{};
  std::string provisioner{};
  std::map<std::string, std::string> parameters{};

  bool operator==(const StorageClassObject&) const = default;
};
/// Errors: kInvalidArgument.
[[nodiscard]] Result<StorageClassObject> decode_storage_class(const JsonObject& object);

struct CapacityObject {
  kube::ObjectId id{};
  std::string storage_class{};
  std::map<std::string, std::string> topology{};
  std::string capacity{};  ///< as Kubernetes writes a quantity: bytes
  std::string maximum{};   ///< of one volume

  /// The same figure of the same node and class.
  [[nodiscard]] bool says_the_same(const CapacityObject& other) const {
    return is_of_same(other) && capacity == other.capacity && maximum == other.maximum;
  }
  /// What cannot be changed in it is the same.
  [[nodiscard]] bool is_of_same(const CapacityObject& other) const {
    return storage_class == other.storage_class && topology == other.topology;
  }
};
/// Errors: kInvalidArgument.
[[nodiscard]] Result<CapacityObject> decode_capacity(const JsonObject& object);
/// `version`: "v1" or "v1beta1". `driver` and the word by which ours are known are its labels.
[[nodiscard]] nlohmann::json encode_capacity(const CapacityObject& object, const std::string& version,
                                             const std::string& driver);

/// On ours: its value is kCapacityManager.
inline constexpr const char* kManagedBy = "csi.storage.k8s.io/managed-by";
inline constexpr const char* kCapacityManager = "csi-lvm";

/// All that the scheduler is to be told, by name. Of a node that is stale nothing is free; of a class that
/// cannot be read nothing is told.
[[nodiscard]] std::map<std::string, CapacityObject> wanted_capacities(
    const ClusterState& state, const std::map<std::string, StorageClassObject>& classes,
    const std::string& driver, const std::string& topology_key);

}  // namespace holdfast::lvm
