#pragma once

#include <cstdint>
#include <vector>

#include "csi-disk/device/disk_identity.h"

namespace holdfast::disk {

/// How many disks of volumes a node takes: what it may have beside the disk that it boots from, less those
/// that are attached and no volumes of ours, as Kubernetes counts those itself. `attached`: all disks of the
/// node that tell something that lasts, the one that it boots from among them. `ours`: those of volumes, of
/// an earlier driver of the same name too. 0: nobody says; at least 1 else, as CSI has no word for none.
[[nodiscard]] std::uint32_t room_for_volumes(std::uint32_t limit, const std::vector<DiskIdentity>& attached,
                                             const std::vector<DiskIdentity>& ours);

}  // namespace holdfast::disk
