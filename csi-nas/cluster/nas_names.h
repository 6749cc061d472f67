#pragma once

#include <string>
#include <string_view>

#include "common/kube/names.h"
#include "common/kube/object.h"

/// The names by which the API server knows csi-nas's objects.
namespace holdfast::nas {

inline constexpr const char* kNasVolumeKind = "NasVolume";
inline constexpr const char* kNasVolumePlural = "nasvolumes";
inline constexpr const char* kNasTaskKind = "NasTask";
inline constexpr const char* kNasTaskPlural = "nastasks";

/// On a NasVolume as long as it has a directory, so that nobody deletes the only record of one by mistake.
inline constexpr const char* kRecordFinalizer = "storage.holdfast.dev/nas-volume";
/// On a NasVolume: label_of() its id.
inline constexpr const char* kVolumeIdLabel = "storage.holdfast.dev/volume-id";
/// On a NasTask: its site, by which the nodes of that site ask for their own.
inline constexpr const char* kSiteLabel = "storage.holdfast.dev/site";

/// Digits that stand for a volume id, which may be longer than a label's value.
[[nodiscard]] std::string label_of(std::string_view id);

/// The name of a NasVolume: `<name>` of a volume, `<name>.snapshot` of a snapshot, with "v-" and a hash for a
/// name that an object's cannot be. So two volumes of one name are one object, whoever makes them.
[[nodiscard]] std::string volume_object_name(std::string_view name, bool snapshot);

/// The name of the NasTask of a directory: there is one work at a time on it. `place` is as of work_place().
[[nodiscard]] std::string task_object_name(std::string_view place);

[[nodiscard]] inline kube::Resource nas_volumes() {
  return {.group = kube::kStorageGroup, .version = kube::kStorageVersion, .plural = kNasVolumePlural};
}
[[nodiscard]] inline kube::Resource nas_tasks() {
  return {.group = kube::kStorageGroup, .version = kube::kStorageVersion, .plural = kNasTaskPlural};
}

}  // namespace holdfast::nas
