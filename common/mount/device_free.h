#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/mount/mount_table.h"

namespace holdfast::mount {

/// Of a device file or a link to one; nullopt when it is gone. Errors: kInvalidArgument when it is no block
/// device; errno.
Result<std::optional<dev_t>> device_number(const std::string& device);

/// The mounts of what is on the device, and of its node, which is what a raw volume is: by whatever name the
/// node was bound, it is known by the number that it has below /dev.
[[nodiscard]] Mounts mounts_of_device(const Mounts& mounts, dev_t device);

/// Where these are, as this process sees it now. Errors: those of MountTable.
Result<std::vector<std::string>> places_of(dev_t device);

/// Whether nobody uses the device any more: no mount of it, nor of its node, in `mounts`, and open(O_EXCL)
/// succeeds, which other mount namespaces and holders (device-mapper, md, swap) prevent. A device that is
/// gone is free. Waits a moment for those who only look at it, as udev does. Errors: kFailedPrecondition,
/// telling where it is mounted or that another holds it; errno.
Status check_device_is_free(const Mounts& mounts, const std::string& device);

/// Whether the device of a mount is gone from the machine. No file system is asked.
[[nodiscard]] bool is_device_gone(const MountEntry& entry);

}  // namespace holdfast::mount
