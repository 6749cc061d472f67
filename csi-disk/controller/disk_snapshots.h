#pragma once

#include <string>

#include "common/base/result.h"
#include "csi-disk/controller/attempts.h"
#include "csi-disk/controller/disk_looks.h"
#include "csi-disk/volumes/disk_class.h"

namespace holdfast::disk {

/// Takes snapshots of disks. One is found again by its name and its tags, as disks are. Thread-safe, but for
/// one name at a time.
class DiskSnapshots {
 public:
  /// `looks` outlives it.
  explicit DiskSnapshots(const DiskLooks& looks) : looks_(looks) {}

  /// As soon as it is cut; it may not be ready then. One that has failed is taken anew. Errors: kNotFound for
  /// the disk; kFailedPrecondition for one that was never attached, where the cloud takes none of such;
  /// kAlreadyExists when the name is that of another disk's snapshot; kResourceExhausted; kAborted
  /// while it is under way or may have been taken.
  Result<Snapshot> take(const std::string& name, const std::string& disk, const SnapshotClass& of_class,
                        Patience patience);
  /// The one that is taken before a disk is deleted, once of each deletion, when it is ready; nullopt of a
  /// disk that was never attached, where the cloud takes none of such: there is nothing to keep. Errors: as
  /// take().
  Result<std::optional<Snapshot>> take_last(const Disk& disk, const std::string& deletion,
                                            std::uint32_t keep_days, const Budget& budget);
  /// Deletes it; succeeds when there is none. Errors: kFailedPrecondition while a disk is being made from it.
  Status remove(const std::string& id, Patience patience) const;

 private:
  Result<std::optional<Snapshot>> take(const SnapshotSpec& spec, bool until_ready, const Budget& budget);
  Result<std::optional<Snapshot>> find_taken(const SnapshotSpec& spec, const Budget& budget);
  Result<bool> ask(const SnapshotSpec& spec, const Budget& budget);

  const DiskLooks& looks_;
  Attempts attempts_;
};

}  // namespace holdfast::disk
