#pragma once

#include <cstdint>
#include <vector>

#include "csi-disk/device/disk_identity.h"

namespace holdfast::disk {

/// How many disks of volumes a node takes: limit - (attached - ours - the one that it boots from), at least
/// 1, as CSI has no word for none; 0 when `limit` is 0: nobody says. `attached`: all disks of the node that
/// tell something that lasts. `ours`: those of volumes, of an earlier driver of the same name too, which
/// Kubernetes counts itself.
[[nodiscard]] std::uint32_t room_for_volumes(std::uint32_t limit, const std::vector<DiskIdentity>& attached,
                                             const std::vector<DiskIdentity>& ours);

}  // namespace holdfast::disk
