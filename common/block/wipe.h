#pragma once

#include <cstdint>
#include <functional>

#include "common/base/result.h"
#include "common/block/block_device.h"

namespace holdfast::block {

/// Zeroes every place that the content proof reads (proof_places.h), and flushes: after this a new volume on
/// re-used extents is blank, and no copy of an earlier tenant's superblock opens the earlier file system.
/// What lies between the places stays: for a volume that is handed out raw, wipe_whole(). Errors: errno,
/// naming the offset.
Status zero_places(BlockDevice& device);

/// How far a wipe came.
struct WipeProgress {
  std::uint64_t next = 0;  ///< everything below reads as zero, also after a power cut; where to go on
  bool done = false;       ///< false: cancelled
};

/// Makes all of the device read as zeros, from `from` (where an earlier call stopped, else 0) on. Storage
/// below is given back where the device promises zeros for it, else zeros are written; in steps of 64 MiB,
/// after each of which `cancelled` is asked. `from` that cannot be such a place is taken as 0. Errors: errno;
/// what is below the offset in the message is zero, and the call may be repeated.
[[nodiscard]] Result<WipeProgress> wipe_whole(BlockDevice& device, std::uint64_t from,
                                              const std::function<bool()>& cancelled);

}  // namespace holdfast::block
