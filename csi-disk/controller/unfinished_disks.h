#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "csi-disk/controller/disk_volumes.h"

namespace holdfast::disk {

/// Disks whose making was begun and never answered for a long time: nobody was told of them, and no claim
/// asks for them any more, or it would have been finished. They cost money. They are told to people and not
/// deleted: what is on a disk is not known from here. Not thread-safe.
class UnfinishedDisks {
 public:
  /// For how long one is looked at before it is told.
  static constexpr std::chrono::hours kOld{1};

  /// Both outlive it.
  UnfinishedDisks(const DiskVolumes& volumes, Clock& clock) : volumes_(volumes), clock_(clock) {}

  /// Looks through all disks of the region; the ids of this cluster's that are old. Errors: those of
  /// DiskVolumes::list(); what is known stays then.
  Result<std::vector<std::string>> look(Patience patience);

 private:
  const DiskVolumes& volumes_;
  Clock& clock_;
  std::map<std::string, std::chrono::nanoseconds> seen_since_;  // since boot, by id
};

}  // namespace holdfast::disk
