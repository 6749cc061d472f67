#pragma once

#include <functional>
#include <string>

#include "common/base/result.h"
#include "common/mount/mounter.h"
#include "csi-disk/device/device_finder.h"

namespace holdfast::disk {

/// Whether a disk may be staged: kubelet's volumes have it already, or nobody has any of it. A handle, an
/// attribute or a profile that is wrong may lead to a disk of the host, its boot disk above all. `in_use` as
/// block::is_in_use(). Errors: kFailedPrecondition, naming the mount or the holder and the cure; those of
/// Mounter::mounts_of() and `in_use`.
Status check_may_use(const HeldDisk& disk, mount::Mounter& mounter,
                     const std::function<Result<bool>(const std::string& device)>& in_use);

}  // namespace holdfast::disk
