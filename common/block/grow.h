#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace holdfast::block {

/// The size of a block device now. Errors: errno of open(2) or the ioctl.
[[nodiscard]] Result<std::uint64_t> device_size_bytes(const std::string& device);

/// Grows the file system mounted at `mount_path` to fill its device, while it is in use; one that fills it
/// already succeeds, so staging may always call this. `fs_type` is what is mounted: "ext4" (also for ext2 and
/// ext3 file systems, which that driver serves), "xfs"; vfat cannot grow. By ioctl on the mount, so no
/// program is needed (EXT4_IOC_RESIZE_FS, XFS_IOC_FSGROWFSDATA).
///
/// `wanted_bytes` is what the device must have by now: growing to less would be told as success although
/// nothing was gained. Errors: kUnavailable when `device` is still smaller; kUnimplemented for a type that
/// cannot grow; kPermissionDenied without CAP_SYS_RESOURCE (ext4) or CAP_SYS_ADMIN; another errno's.
Status grow_file_system(const std::string& fs_type, const std::string& mount_path, const std::string& device,
                        std::uint64_t wanted_bytes);

}  // namespace holdfast::block
