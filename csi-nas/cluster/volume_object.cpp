#include "csi-nas/cluster/volume_object.h"

#include <nlohmann/json.hpp>

#include "csi-nas/cluster/nas_names.h"
#include "csi-nas/controller/record_json.h"

namespace holdfast::nas {

using nlohmann::json;

kube::KeptFields volume_object_fields() { return {"spec"}; }

Result<VolumeObject> decode_volume_object(const JsonObject& object) {
  VolumeObject out;
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object());
  HOLDFAST_TRY(out.id.name, metadata["name"].string());
  HOLDFAST_TRY(out.id.uid, metadata["uid"].string_or(""));
  HOLDFAST_TRY(out.id.resource_version, metadata["resourceVersion"].string_or(""));
  HOLDFAST_TRY(const JsonObject spec, object["spec"].object());
  HOLDFAST_TRY(out.record, record_from_json(spec));
  out.record.version = out.id.resource_version;
  return out;
}

json encode_volume_object(const NasRecord& record) {
  json metadata{{"name", volume_object_name(record.name, is_snapshot(record))},
                {"labels", {{kVolumeIdLabel, label_of(record.id)}}},
                {"finalizers", json::array({kRecordFinalizer})}};
  if (!record.version.empty()) metadata["resourceVersion"] = record.version;
  return {{"apiVersion", kube::kStorageApiVersion},
          {"kind", kNasVolumeKind},
          {"metadata", std::move(metadata)},
          {"spec", record_to_json(record)}};
}

}  // namespace holdfast::nas
