#pragma once

#include "csi-nas/controller/nas_volumes.h"

namespace holdfast::nas {

/// What a class's volumes are called in records.
[[nodiscard]] NasRecord::Kind kind_of(VolumeAs what);

/// Whether the volume that is there by the wanted name is the wanted one: by size, source and class. Errors:
/// kAlreadyExists, with what differs; kInvalidArgument of the class.
[[nodiscard]] Status check_same_volume(const NasRecord& record, const NewVolume& wanted);

}  // namespace holdfast::nas
