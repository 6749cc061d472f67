#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "csi-lvm/lvm/lvm.h"
#include "csi-lvm/volumes/capacity.h"
#include "csi-lvm/volumes/cluster_uid.h"
#include "csi-lvm/volumes/content_copy.h"
#include "csi-lvm/volumes/local_volume.h"

namespace holdfast::lvm {

/// What a new volume's content is taken from.
struct ContentSource {
  std::string id;
  bool snapshot = false;  ///< else a volume
};

/// Volumes that begin with the content of a snapshot, or of a volume as it is at one moment.
///
///     thin, from the same pool    (none) --thin snapshot--> creating --grown--> ready
///     all others                  (none) --lvcreate--> creating, to be filled --content copied--> ready
///
/// A volume that is a source is copied from a temporary snapshot of it, so that it may be written to
/// meanwhile. That is `creating` for its whole life, so that what removes half-made volumes after a start
/// removes it too, and it says for whom it is (kForTag). Thread-safe, but for one new volume at a time.
class VolumeCopies {
 public:
  using Patience = Lvm::Patience;

  /// All outlive it. `cluster` as in LocalVolumes.
  VolumeCopies(Lvm& lvm, CapacityBook& book, ContentCopier& copier, const ClusterUid& cluster);

  /// Errors: kNotFound when there is none, or it is not ready; kInvalidArgument when what has this name is
  /// not what it is said to be; kFailedPrecondition for a snapshot that is lost.
  static Result<FoundVolume> find_source(const Inventory& inventory, const ContentSource& source);

  /// Makes `wanted`, still `creating`, with tags of its own and those that tell where it is from. Its size is
  /// that of the source at least, and there is room for it. Errors: those of Lvm.
  Status make(const NewVolume& wanted, const FoundVolume& source, const ContentSource& from,
              Patience patience);

  /// Brings a volume that make() has begun to `ready` and to this size at least, from wherever it was left,
  /// which `now` tells. Errors: kAborted while its content is copied (call again); kNotFound when the source
  /// is gone; kFailedPrecondition when it is lost; kResourceExhausted when there is no room for a temporary
  /// snapshot; errno of the copying.
  Status finish(const Inventory& now, const FoundVolume& target, std::uint64_t size_bytes, Patience patience);

  /// Removes the temporary snapshot for this volume, if it is there.
  Status drop_temporary(const Inventory& inventory, const std::string& target, Patience patience);

 private:
  // The snapshot to copy.
  Result<FoundVolume> readable(const Inventory& now, const FoundVolume& target, Patience patience);
  Result<FoundVolume> temporary(const FoundVolume& source, const FoundVolume& target, Patience patience);
  Status take_temporary(const FoundVolume& source, const FoundVolume& target, Patience patience);
  Status fill(const FoundVolume& target, const FoundVolume& source, Patience patience);

  Lvm& lvm_;
  CapacityBook& book_;
  ContentCopier& copier_;
  const ClusterUid& cluster_;
};

}  // namespace holdfast::lvm
