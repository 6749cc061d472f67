#pragma once

#include <chrono>
#include <optional>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "csi-nas/controller/nas_records.h"
#include "csi-nas/controller/share_access.h"
#include "csi-nas/controller/site_work.h"
#include "csi-nas/directories/directory_jobs.h"

namespace holdfast::nas {

/// The directories of volumes and snapshots, as their records have them: worked on here, on a share that is
/// mounted for that, or by a node of the record's site. Thread-safe, but for one volume at a time.
///
/// A share on which there are volumes by the records, but none to be seen, is not worked on: its server shows
/// something else in its place.
///
/// Errors of all calls: kAborted while the work is under way; kUnavailable while the server or the share is
/// away, or there is no cluster whose node could do it; of ShareVolumes.
class VolumeDirectories {
 public:
  using Patience = std::chrono::milliseconds;
  static constexpr Patience kAccessPatience{2000};
  static constexpr Patience kWorkPatience{2500};

  /// All outlive it. `sites` may be null.
  VolumeDirectories(NasRecords& records, ShareAccess& access, DirectoryWork& work, Clock& clock,
                    SiteWork* sites);

  /// Makes the directory, empty or as a copy of `source`. The record is put before, but after the server has
  /// answered: one that does not answer can be exchanged for another by the next call.
  Status make(NasRecord& record, const std::optional<NasRecord>& source, std::optional<mode_t> mode,
              Patience patience);
  /// Removes, keeps or archives it, as the record says (on_delete).
  Status remove(const NasRecord& record, Patience patience);

 private:
  Status work_on(NasRecord& record, DirectoryOrder order, Patience patience);
  Status work_at_site(NasRecord& record, const DirectoryOrder& order, Patience patience);
  Status keep_before_making(NasRecord& record, const DirectoryOrder& order);
  [[nodiscard]] bool holds_volumes(const NasRecord& record) const;

  NasRecords& records_;
  ShareAccess& access_;
  DirectoryWork& work_;
  Clock& clock_;
  SiteWork* sites_;  // null: there are none
};

}  // namespace holdfast::nas
