#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "csi-lvm/lvm/lvm.h"
#include "csi-lvm/volumes/capacity.h"
#include "csi-lvm/volumes/parameters.h"

namespace holdfast::lvm {

/// Makes what an earlier tenant left on a volume's extents unreadable. common/block does it on the device;
/// the tests' one remembers.
class ExtentCleaner {
 public:
  ExtentCleaner() = default;
  ExtentCleaner(const ExtentCleaner&) = delete;
  ExtentCleaner& operator=(const ExtentCleaner&) = delete;
  virtual ~ExtentCleaner() = default;

  /// Zeroes every place where a file system could be found by its superblocks, and makes that durable.
  virtual Status zero_superblocks(const VolumeName& name) = 0;
  /// Makes all of it read as zeros. Errors: kAborted when `patience` ended before: call again, and it goes on
  /// from there.
  virtual Status wipe(const VolumeName& name, Lvm::Patience patience) = 0;
};

/// A volume that is asked for.
struct VolumeRequest {
  std::string name;
  Parameters parameters;
  std::uint64_t required_bytes = 0;  ///< 0: the smallest there is
  std::uint64_t limit_bytes = 0;     ///< 0: none
  bool block = false;                ///< for raw access: its old content matters wherever it is
};

/// A volume or snapshot that is there.
struct LocalVolume {
  VolumeName name;
  std::uint64_t size_bytes = 0;  ///< of a thick snapshot that of its origin
  std::string source;            ///< of a snapshot the volume that it was taken of
  std::int64_t taken = 0;        ///< of a snapshot, seconds since 1970
  std::string content = {};      ///< what is known of its content, as its tag says it
  bool active = true;            ///< its device is there
  bool of_pod = false;           ///< it ends with its pod
};

/// The logical volumes of this node that are volumes of the driver: made, grown and removed in steps whose
/// record is in the volumes' own tags.
///
///     (none) --lvcreate--> creating --superblocks zeroed--> ready --given up--> deleting --lvremove-->
///     (none)
///
/// A call that was cut off anywhere, by an error, a deadline or a power loss, is finished by the same call
/// made again, and by recover() after a start; what was never `ready` was never given to anybody. Volumes of
/// other makers have no state: they are served under their names and never removed by recover().
///
/// Thread-safe, but for two calls on one volume at a time: hold it (common/csi/volume_holds.h). All errors
/// after which something may have been left say so by their code, as the provisioner acts on that: kAborted,
/// kDeadlineExceeded or kUnavailable; any other means that nothing is left.
class LocalVolumes {
 public:
  using Patience = Lvm::Patience;

  /// All outlive it. `cluster` is the uid that new volumes bear, empty without a cluster.
  LocalVolumes(Lvm& lvm, CapacityBook& book, ExtentCleaner& cleaner, Clock& clock, std::string cluster);

  /// After a start: removes what was left half made or half deleted by this cluster. Goes on after a failure;
  /// returns the first.
  Status recover(Patience patience);

  /// The same again is the same volume. Errors: kInvalidArgument for a name; kAlreadyExists when it is there
  /// with another size or group; kNotFound for the group or pool; kResourceExhausted; kOutOfRange when no
  /// size of whole extents lies between the two bounds.
  Result<LocalVolume> create(const VolumeRequest& wanted, Patience patience);

  /// One that is not there succeeds; its content is wiped as its class asked for. Errors: kFailedPrecondition
  /// when it is in use, has snapshots, or two groups have one of this name.
  Status remove(const std::string& id, Patience patience);

  /// The new size. Errors: kNotFound; kResourceExhausted; kOutOfRange.
  Result<std::uint64_t> extend(const std::string& id, std::uint64_t required_bytes, std::uint64_t limit_bytes,
                               Patience patience);

  /// Errors: kNotFound for the volume; kAlreadyExists when the name is taken by a snapshot of another;
  /// kResourceExhausted.
  Result<LocalVolume> snapshot(const std::string& name, const std::string& source, const SnapshotRoom& room,
                               Patience patience);

  /// Volumes and snapshots that are ready, sorted by name.
  Result<std::vector<LocalVolume>> list(Patience patience);

  /// One that is ready, or of another maker. Errors: kNotFound; kFailedPrecondition when two groups have one
  /// of this name.
  Result<LocalVolume> find(const std::string& id, Patience patience);

 private:
  struct Found {
    VolumeName name;
    LogicalVolume volume;
    VolumeGroup group;
  };

  /// Every look at LVM brings the book up to date.
  Result<Inventory> look(Patience patience);
  Status refresh(Patience patience);
  Result<std::optional<Found>> search(const std::string& id, Patience patience);
  Result<LocalVolume> make(const VolumeRequest& wanted, Patience patience);
  Result<LocalVolume> again(const VolumeRequest& wanted, const Found& found, Patience patience);
  Status make_ready(const VolumeName& name, bool thick, bool block, Patience patience);
  Status give_up(const VolumeName& name, Wipe wipe, Patience patience);
  Result<LocalVolume> take(const NewSnapshot& wanted, const Found& source, Patience patience);

  Lvm& lvm_;
  CapacityBook& book_;
  ExtentCleaner& cleaner_;
  Clock& clock_;
  std::string cluster_;
};

}  // namespace holdfast::lvm
