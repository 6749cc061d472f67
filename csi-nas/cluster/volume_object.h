#pragma once

#include <nlohmann/json_fwd.hpp>

#include "common/base/json.h"
#include "common/base/result.h"
#include "common/kube/object.h"
#include "csi-nas/controller/nas_records.h"

/// A volume or snapshot that csi-nas's controller made, or begins to make, as an object, cluster-scoped:
///
///     apiVersion: storage.holdfast.dev/v1alpha1
///     kind: NasVolume
///     metadata: {name: volume_object_name(), labels: {storage.holdfast.dev/volume-id: ...}, finalizers}
///     spec: as of record_json.h; written by the controller alone
namespace holdfast::nas {

struct VolumeObject {
  kube::ObjectId id{};
  NasRecord record{};  ///< its version is the object's
};

/// What of an object is kept for decode_volume_object().
[[nodiscard]] kube::KeptFields volume_object_fields();

/// Errors: kInvalidArgument, naming the member.
[[nodiscard]] Result<VolumeObject> decode_volume_object(const JsonObject& object);

/// With its finalizer, and the record's version, if it has one, as resourceVersion.
[[nodiscard]] nlohmann::json encode_volume_object(const NasRecord& record);

[[nodiscard]] inline bool is_snapshot(const NasRecord& record) {
  return record.kind == NasRecord::Kind::kSnapshot;
}

}  // namespace holdfast::nas
