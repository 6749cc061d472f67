#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/csi/volume_holds.h"
#include "csi-lvm/lvm/lvm.h"
#include "csi-lvm/volumes/capacity.h"
#include "csi-lvm/volumes/clean_growth.h"
#include "csi-lvm/volumes/cluster_uid.h"
#include "csi-lvm/volumes/content_copy.h"
#include "csi-lvm/volumes/extent_cleaner.h"
#include "csi-lvm/volumes/local_volume.h"
#include "csi-lvm/volumes/parameters.h"
#include "csi-lvm/volumes/thin_pools.h"
#include "csi-lvm/volumes/volume_copies.h"
#include "csi-lvm/volumes/volume_request.h"

namespace holdfast::lvm {

/// The logical volumes of this node that are volumes of the driver: made, grown and removed in steps whose
/// record is in the volumes' own tags.
///
///     (none) --lvcreate--> creating --superblocks zeroed--> ready --to be removed--> deleting --lvremove-->
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
  /// Where a device, or its node, is mounted: mount::Mounter::mounts_of().
  using Places = std::function<Result<std::vector<std::string>>(const std::string& device)>;

  /// All outlive it. `cluster` is the uid that new volumes bear, empty without a cluster. `places` is asked
  /// before anything is removed: a raw volume that a pod has is a bind of its node, of which LVM knows
  /// nothing. Null: nobody mounts anything.
  LocalVolumes(Lvm& lvm, CapacityBook& book, ExtentCleaner& cleaner, ContentCopier& copier, Clock& clock,
               std::string cluster, Places places = nullptr);

  /// The cluster's uid has become known: volumes bear it from now on.
  void join(std::string cluster) { cluster_.set(std::move(cluster)); }

  /// After a start: brings devices to what the metadata say where LVM was killed in between, and removes what
  /// was left half made or half deleted by this cluster, the temporary snapshots of copies too, and what pods
  /// had asked for before the cluster's uid was known. What is held meanwhile is left to who holds it (null:
  /// nobody holds anything). Goes on after a failure; returns the first.
  Status recover(Patience patience, csi::VolumeHolds* holds = nullptr);

  /// Brings the book up to date with what others do to groups and pools, unless that was done within the last
  /// second. Errors: those of Lvm::look().
  Status renew(Patience patience);

  /// Every few seconds, from any thread: ThinPools::tend().
  Status tend(Patience patience) { return pools_.tend(patience); }

  /// The same again is the same volume. Its LVM name is lv_name_of() that of the request. A volume with a
  /// source is ready when it holds all of that: kAborted until then, and the same call goes on. Errors:
  /// kInvalidArgument for a name; kAlreadyExists when it is there with another size, group or source;
  /// kNotFound for the group, pool or source; kResourceExhausted; kOutOfRange when no size of whole extents
  /// lies between the two bounds, or the source is larger.
  Result<LocalVolume> create(const VolumeRequest& wanted, Patience patience);

  /// One that is not there succeeds; its content is wiped as its class asked for. Errors: kFailedPrecondition
  /// when it is in use, has thick snapshots, two groups have one of this name, or it is in a group of the
  /// host's that is not ours to look at; kUnavailable when it may be on a disk that is not found;
  /// kInvalidArgument for a snapshot.
  Status remove(const std::string& id, Patience patience);
  /// Likewise. Errors: kFailedPrecondition when it is in use, being copied for instance; kInvalidArgument for
  /// a volume.
  Status remove_snapshot(const std::string& id, Patience patience);

  /// The new size. Errors: kNotFound; kResourceExhausted; kOutOfRange; kFailedPrecondition when it is active
  /// and has thick snapshots; kAborted while what a raw volume grows by is wiped: call again.
  Result<std::uint64_t> extend(const std::string& id, std::uint64_t required_bytes, std::uint64_t limit_bytes,
                               Patience patience);

  /// One whose making was cut off is made anew, of the volume as it is now. Errors: kNotFound for the volume;
  /// kInvalidArgument when that is a snapshot; kAlreadyExists when the name is taken by a snapshot of
  /// another; kResourceExhausted.
  Result<LocalVolume> snapshot(const std::string& name, const std::string& source, const SnapshotRoom& room,
                               Patience patience);

  /// Volumes and snapshots that are ready, sorted by name.
  Result<std::vector<LocalVolume>> list(Patience patience);
  /// The same as LVM reported them last, without asking it.
  [[nodiscard]] std::vector<LocalVolume> listed_last() const;

  /// One that is ready, or of another maker. Errors: kNotFound; kFailedPrecondition when two groups have one
  /// of this name.
  Result<LocalVolume> find(const std::string& id, Patience patience);
  /// The same in less time, but without what ails it: for who is to use it.
  Result<LocalVolume> locate(const std::string& id, Patience patience);

 private:
  // local_volumes_looks.cpp: what LVM tells now.
  Result<Inventory> look(Patience patience) { return lvm::look(lvm_, book_, patience); }
  /// look() for the book's sake alone.
  Status refresh(Patience patience);
  Result<std::optional<FoundVolume>> search(const std::string& id, Patience patience);
  /// Of one that is not in `ours`: that no group of the host has it, and none that is not found can. Errors:
  /// kFailedPrecondition; kUnavailable.
  Status check_gone(const std::string& id, const Inventory& ours, Patience patience);
  /// Whether the book has the group, and the pool if one is named that is not made when it is not there.
  [[nodiscard]] bool is_known(const Parameters& place) const;
  /// CapacityBook::promise(); what it refuses it is asked again when the book is up to date.
  Result<CapacityBook::Promise> promise(const Room& room, Patience patience);

  // local_volumes.cpp: how one is made.
  Result<LocalVolume> make(const VolumeRequest& wanted, const VolumeName& name, Patience patience);
  Result<LocalVolume> make_copy(const VolumeRequest& wanted, const VolumeName& name, const Inventory& now,
                                Patience patience);
  /// create() where there is one of its name: finishes it where its making was cut off.
  Result<LocalVolume> answer_for_existing(const VolumeRequest& wanted, const Inventory& now,
                                          const FoundVolume& found, Patience patience);
  Result<LocalVolume> finish_copy(const Inventory& now, const FoundVolume& found, std::uint64_t size_bytes,
                                  Patience patience);
  [[nodiscard]] Result<NewVolume> plan(const VolumeRequest& wanted, const VolumeName& name) const;
  /// Calls `make` where there is room for the volume, in a pool that is made for it when it is not there and
  /// is to have `pool_bytes`. What is refused leaves no such pool.
  Status make_in_room(const NewVolume& volume, std::uint64_t pool_bytes, Patience patience,
                      const std::function<Status()>& make);
  /// Of a thick one: makes unreadable what an earlier tenant left on its extents, as far as who uses it would
  /// see it.
  Status clean(const VolumeName& name, const VolumeRequest& wanted, Patience patience);
  /// From `creating` to `ready`.
  Status make_ready(const VolumeName& name, Patience patience);

  // local_volumes_changes.cpp: how one grows, and snapshots.
  Status clean_unused(const FoundVolume& found, Patience patience);
  Status extend_at_once(const FoundVolume& found, std::uint64_t size_bytes, Patience patience);
  Result<LocalVolume> make_snapshot(const std::string& name, const FoundVolume& source,
                                    const SnapshotRoom& room, Patience patience);

  // local_volumes_removal.cpp: how one goes.
  /// What was made for a while to copy into the volume, or to let it grow.
  Status drop_temporaries(const Inventory& now, const std::string& id, Patience patience);
  Status remove_found(const FoundVolume& found, Patience patience);
  /// Through `deleting`. Errors: kFailedPrecondition while it is mounted or published, before anything is
  /// changed.
  Status wipe_and_remove(const VolumeName& name, Wipe wipe, Patience patience);
  Status check_not_mounted(const VolumeName& name) const;

  // recovery.cpp: what was cut off.
  [[nodiscard]] bool is_left_over(const LogicalVolume& volume) const;
  Status clear_away(const VolumeName& name, const LogicalVolume& volume, Patience patience,
                    csi::VolumeHolds* holds);
  /// Nothing waits any more for the devices of our volumes in this group.
  Status settle(const VolumeGroup& group, Patience patience);

  Lvm& lvm_;
  CapacityBook& book_;
  ExtentCleaner& cleaner_;
  Clock& clock_;
  ClusterUid cluster_;
  ThinPools pools_;
  VolumeCopies copies_;
  CleanGrowth growth_;
  Places places_;
  std::mutex renewing_;  // guards renewed_, and is held while LVM is asked: others wait for that answer
  std::optional<std::chrono::nanoseconds> renewed_;  // when renew() asked LVM last
};

}  // namespace holdfast::lvm
