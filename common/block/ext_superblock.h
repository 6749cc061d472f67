#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/result.h"

namespace holdfast::block {

/// What we need of the superblock of ext2, ext3 and ext4. Source: the kernel's
/// Documentation/filesystems/ext4/super.rst.
struct ExtSuperblock {
  std::uint64_t size_bytes = 0;  ///< of the file system
  std::uint64_t block_bytes = 0;
  /// It was unmounted, nobody counted an error in it, its journal is empty, no periodic check is due and its
  /// checksum is right: e2fsck -p would look no further.
  bool clean = false;
  bool operator==(const ExtSuperblock&) const = default;
};

using ExtSuperblockBytes = std::array<unsigned char, 1024>;

/// nullopt when it is none.
[[nodiscard]] std::optional<ExtSuperblock> parse_ext_superblock(const ExtSuperblockBytes& bytes);

/// Of a device, as the kernel's page cache has it now, so also of one that is mounted. nullopt when there is
/// none. Errors: errno of open(2) or pread(2).
[[nodiscard]] Result<std::optional<ExtSuperblock>> read_ext_superblock(const std::string& device);

}  // namespace holdfast::block
