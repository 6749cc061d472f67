#include "csi-lvm/cluster/published_capacity.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/sha.h"
#include "csi-lvm/cluster/prediction.h"

namespace holdfast::lvm {
namespace {

using nlohmann::json;

constexpr std::size_t kHashDigits = 20;
constexpr const char* kDriverLabel = "csi.storage.k8s.io/drivername";

Result<kube::ObjectId> id_in(const JsonObject& object) {
  kube::ObjectId id;
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object());
  HOLDFAST_TRY(id.name, metadata["name"].string());
  HOLDFAST_TRY(id.uid, metadata["uid"].string_or(""));
  HOLDFAST_TRY(id.resource_version, metadata["resourceVersion"].string_or(""));
  return id;
}

Result<std::map<std::string, std::string>> texts_in(const JsonField& field) {
  std::map<std::string, std::string> out;
  HOLDFAST_TRY(const JsonObject texts, field.object_or_empty());
  for (const std::string& key : texts.keys()) {
    HOLDFAST_TRY(out[key], texts[key].string());
  }
  return out;
}

}  // namespace

Result<StorageClassObject> decode_storage_class(const JsonObject& object) {
  StorageClassObject out;
  HOLDFAST_TRY(out.id, id_in(object));
  HOLDFAST_TRY(out.provisioner, object["provisioner"].string_or(""));
  HOLDFAST_TRY(out.parameters, texts_in(object["parameters"]));
  return out;
}

Result<CapacityObject> decode_capacity(const JsonObject& object) {
  CapacityObject out;
  HOLDFAST_TRY(out.id, id_in(object));
  HOLDFAST_TRY(out.storage_class, object["storageClassName"].string_or(""));
  HOLDFAST_TRY(const JsonObject topology, object["nodeTopology"].object_or_empty());
  HOLDFAST_TRY(out.topology, texts_in(topology["matchLabels"]));
  HOLDFAST_TRY(out.capacity, object["capacity"].string_or(""));
  HOLDFAST_TRY(out.maximum, object["maximumVolumeSize"].string_or(""));
  return out;
}

json encode_capacity(const CapacityObject& object, const std::string& version, const std::string& driver) {
  return {{"apiVersion", "storage.k8s.io/" + version},
          {"kind", "CSIStorageCapacity"},
          {"metadata",
           {{"name", object.id.name}, {"labels", {{kManagedBy, kCapacityManager}, {kDriverLabel, driver}}}}},
          {"storageClassName", object.storage_class},
          {"nodeTopology", {{"matchLabels", object.topology}}},
          {"capacity", object.capacity},
          {"maximumVolumeSize", object.maximum}};
}

std::map<std::string, CapacityObject> wanted_capacities(
    const ClusterState& state, const std::map<std::string, StorageClassObject>& classes,
    const std::string& driver, const std::string& topology_key) {
  std::map<std::string, CapacityObject> out;
  for (const auto& [node, storage] : state.storages()) {
    const auto place = storage.topology.find(topology_key);
    if (place == storage.topology.end()) continue;
    const NodeFigures figures = state.figures(node);
    for (const auto& [name, storage_class] : classes) {
      if (storage_class.provisioner != driver) continue;
      const Result<Parameters> parameters = parse_parameters(storage_class.parameters, false);
      if (!parameters) continue;
      const Capacity capacity = predicted_capacity(figures, *parameters);
      CapacityObject object;
      std::string key = name;
      key += '\n';
      key += place->second;
      object.id.name = "csi-lvm-" + sha512_hex(key).substr(0, kHashDigits);
      object.storage_class = name;
      object.topology = {{topology_key, place->second}};
      object.capacity = std::to_string(capacity.available_bytes);
      object.maximum = std::to_string(capacity.largest_bytes);
      out.emplace(object.id.name, std::move(object));
    }
  }
  return out;
}

}  // namespace holdfast::lvm
