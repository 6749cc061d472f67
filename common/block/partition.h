#pragma once

#include <chrono>
#include <string>

#include "common/base/exec.h"
#include "common/base/result.h"
#include "common/block/device_identity.h"

namespace holdfast::block {

/// Makes the only partition of a disk as large as the disk allows, while it is in use; one that is already
/// succeeds, and so does a disk without partitions. The table is written by sfdisk(8), which also moves GPT's
/// second copy to the disk's new end; where the partition begins stays as it is. partx(8) tells the kernel.
/// `disk`: kernel name, "vdb"; `dev`: where its files are.
///
/// Errors: kNotFound for no such disk, or when sfdisk or partx is not installed; kFailedPrecondition for
/// several partitions; kInternal with what they wrote; kUnavailable when the kernel does not see the new
/// size; kDeadlineExceeded.
Status grow_only_partition(Executor& executor, const DeviceDirectory& directory, const std::string& disk,
                           std::chrono::milliseconds deadline, const std::string& dev = "/dev");

}  // namespace holdfast::block
