#pragma once

#include <nlohmann/json_fwd.hpp>

#include "common/base/json.h"
#include "csi-nas/controller/nas_records.h"

namespace holdfast::nas {

/// What is kept of a record, in a file or as an object's spec:
///
///     kind                     "subpath" | "sharepath" | "snapshot"
///     id, name                 what CSI calls it by, and what it was asked for by
///     attributes, mountOptions how its share is mounted
///     directory                of the share; of a snapshot its name
///     site                     whose nodes reach the server; absent: the controller does
///     bytes                    a declaration
///     onDelete                 "delete" | "retain" | "archive"
///     source, ofSnapshot       what it was copied from, by id, and whether that is a snapshot
///     made                     seconds since 1970
///     ready                    false: the work on it has begun, and may be half done
///     deleting                 true: it is being deleted; else absent
[[nodiscard]] nlohmann::json record_to_json(const NasRecord& record);

/// Without a version. An onDelete that is not known is "archive", which loses nothing. Errors:
/// kInvalidArgument, naming the member.
[[nodiscard]] Result<NasRecord> record_from_json(const JsonObject& object);

}  // namespace holdfast::nas
