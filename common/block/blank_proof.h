#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "common/base/result.h"
#include "common/block/block_device.h"

namespace holdfast::block {

/// Nothing but zeros was read.
struct Blank {
  bool throughout = false;  ///< on the whole device, not only in the places that tell (proof_places.h)
  bool operator==(const Blank&) const = default;
};

/// What libblkid knows: a file system, a member of a volume group or array, an encrypted container, swap, a
/// partition table.
struct Signature {
  std::string type;  ///< libblkid's word: "ext4", "xfs", "vfat", "LVM2_member", "crypto_LUKS", "gpt", "dos"
  std::string uuid;  ///< as libblkid writes it; empty when the format has none
  bool operator==(const Signature&) const = default;
};

/// Bytes that are not zero and that no format claims, or that several do.
struct HoldsData {
  std::uint64_t offset = 0;  ///< of the first byte seen, within the block of 4096
  std::string what;          ///< "a backup superblock of ext2/3/4", "data of no known format"
  bool operator==(const HoldsData&) const = default;
};

/// A place that had to be read could not be. Never the same as blank.
struct Unreadable {
  std::uint64_t offset = 0;  ///< where the read that failed began
  int sys_errno = 0;
  bool operator==(const Unreadable&) const = default;
};

using Content = std::variant<Blank, Signature, HoldsData, Unreadable>;

/// "holds ext4", "is blank", "cannot be read at byte 4096 (Input/output error)".
[[nodiscard]] std::string describe(const Content& content);

/// What is on the device. The places of proof_places() are read from the medium, and libblkid judges a copy
/// of what was read, so that no error of a read can be taken for emptiness. Both ends are read first, and a
/// format that is recognised there is the answer: a bad sector in a backup superblock must not keep a good
/// file system from being mounted. Blank means: all places are zero; anything else than zeros is at least
/// HoldsData, also where no format is known. A device of no size is Unreadable. Errors: errno of making the
/// copy (ENOMEM), kInternal when libblkid fails.
[[nodiscard]] Result<Content> look_at(BlockDevice& device);

/// How far the reading of a whole device came.
struct ZeroScan {
  std::uint64_t next = 0;        ///< everything below is zero; where to go on
  std::optional<Content> found;  ///< set at the end: Blank throughout, or what is there; unset when cancelled
};

/// Reads from `from` to the end, or to the first byte that is not zero, or until `cancelled` says so, which
/// is asked after each MiB. A scan may be resumed where it stopped only as long as nobody else can have
/// written to the device meanwhile.
[[nodiscard]] ZeroScan whole_device_is_zero(BlockDevice& device, std::uint64_t from,
                                            const std::function<bool()>& cancelled);

}  // namespace holdfast::block
