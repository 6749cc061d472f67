#pragma once

#include <string>

#include "common/base/result.h"
#include "common/csi/volume_holds.h"
#include "csi-disk/controller/disk_looks.h"

namespace holdfast::disk {

struct NewDisk;

/// Takes disks that somebody else has made as volumes.
///
/// A cloud's tags are written without regard to what is there, so of two that write csi.name both might read
/// their own. Who wants a disk therefore first writes a tag that is nobody else's, kClaimTag and a hash of
/// the volume, and looks at the disk again: it has it when no other claim is there, and gives its own up when
/// one is. Of two at most one finds itself alone; when both do not, each is asked again.
///
///     (free) --tag csi.claim-<hash>--> claimed --look: no other's--> --tag csi.name, claim off--> ready
///
/// Where a cloud has no tags nothing tells two volumes of one disk apart. Thread-safe.
class DiskAdoption {
 public:
  /// `looks` outlives it.
  explicit DiskAdoption(const DiskLooks& looks) : looks_(looks) {}

  /// The disk `wanted.of_class.adopt_disk` as the volume that bears `tags`, of which csi.name is one. Errors:
  /// kNotFound; kAlreadyExists when it is another volume; kOutOfRange for another size; kResourceExhausted
  /// where pods do not reach it; kAborted while another volume is taking it.
  Result<Disk> adopt(const NewDisk& wanted, Tags tags, const Budget& budget);

 private:
  /// The disk when it has no claim but `claim`. Errors: kAborted; kAlreadyExists.
  Result<Disk> alone(const std::string& id, const Tags& ours, const std::string& claim,
                     const Budget& budget) const;
  Status tag(const std::string& id, const Tags& set, const std::vector<std::string>& unset,
             const Budget& budget) const;

  const DiskLooks& looks_;
  csi::VolumeHolds taking_;
};

}  // namespace holdfast::disk
