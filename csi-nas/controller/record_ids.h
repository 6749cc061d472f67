#pragma once

#include <map>
#include <string>

#include "csi-nas/controller/nas_records.h"

namespace holdfast::nas {

/// What a record keeps of a class's parameters: what mounts `share`, and nothing that chooses. A share
/// without a host: one that is not known.
[[nodiscard]] NasAttributes mount_attributes(const std::map<std::string, std::string>& parameters,
                                             const NasShare& share);

/// By what CSI calls a new volume or snapshot on that share (NasVolumes tells which). A sharepath volume is
/// called by its name.
[[nodiscard]] std::string id_of(const NasRecord& record, const NasShare& share);

}  // namespace holdfast::nas
