#pragma once

#include <cstddef>

#include "csi-lvm/volumes/local_volumes.h"

namespace holdfast::lvm {

/// Makes the devices of the driver's volumes appear, after a boot or when a disk has come; snapshots wait
/// until somebody needs them. Goes on after a failure: a volume on a missing disk holds up none of the
/// others. `volumes` as LVM reported them last. Returns how many were activated, or the first error.
Result<std::size_t> activate_volumes(const std::vector<LocalVolume>& volumes, Lvm& lvm,
                                     Lvm::Patience patience);

}  // namespace holdfast::lvm
