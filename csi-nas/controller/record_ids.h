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

/// The share of a record, and how it is mounted. Errors: as parse_source().
[[nodiscard]] Result<NasSource> share_of(const NasRecord& record);
/// Whether both are of one share, however that is mounted.
[[nodiscard]] bool is_same_share(const NasRecord& one, const NasRecord& other);
/// What a node needs to mount the volume, as PersistentVolumes tell it. Errors: as parse_source().
[[nodiscard]] Result<NasAttributes> volume_context(const NasRecord& record);
/// What a handle tells when the record of its volume was lost. nullopt for other ids. Errors: as
/// parse_handle().
[[nodiscard]] Result<std::optional<NasRecord>> record_from_handle(const std::string& id);

}  // namespace holdfast::nas
