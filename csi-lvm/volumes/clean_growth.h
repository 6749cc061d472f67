#pragma once

#include <cstdint>
#include <string>

#include "csi-lvm/lvm/lvm.h"
#include "csi-lvm/volumes/capacity.h"
#include "csi-lvm/volumes/cluster_uid.h"
#include "csi-lvm/volumes/extent_cleaner.h"
#include "csi-lvm/volumes/local_volume.h"

namespace holdfast::lvm {

/// Growth of volumes that show their extents (shows_extents()). A pod would at once read what an earlier
/// tenant left on the added extents, and write to them while they are wiped. So they are first allocated as a
/// temporary volume, wiped, and then joined to the volume.
///
///     (none) --lvcreate--> creating, for the volume --wiped, joined--> (none), the volume is larger
///
/// The temporary volume is `creating` for its whole life, so that what removes half-made volumes after a
/// start removes it too, and it says for whom it is (kForTag). Thread-safe; one volume at a time needs the
/// caller's hold.
class CleanGrowth {
 public:
  using Patience = Lvm::Patience;

  /// All outlive it. `cluster` as in LocalVolumes.
  CleanGrowth(Lvm& lvm, CapacityBook& book, ExtentCleaner& cleaner, const ClusterUid& cluster);

  /// To `size_bytes`, more than it has, in whole extents of each stripe. Errors: kAborted while the extents
  /// are wiped, and when something else took them: call again; kResourceExhausted; kFailedPrecondition for an
  /// active volume with thick snapshots, and when the temporary volume's name is another's.
  Status grow(const FoundVolume& found, std::uint64_t size_bytes, Patience patience);

  /// Removes the temporary volume for this one, if it is there. Errors: those of Lvm::remove().
  Status drop_temporary(const Inventory& inventory, const std::string& volume, Patience patience);

 private:
  Status make(const VolumeName& part, const FoundVolume& found, std::uint64_t size_bytes, Patience patience);

  Lvm& lvm_;
  CapacityBook& book_;
  ExtentCleaner& cleaner_;
  const ClusterUid& cluster_;
};

}  // namespace holdfast::lvm
