#pragma once

#include <cstdint>
#include <vector>

namespace holdfast::block {

/// A range of a device, in bytes.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  [[nodiscard]] std::uint64_t end() const { return offset + length; }
  bool operator==(const Extent&) const = default;
};

/// Where a device of this size is read before it is called blank, and what is zeroed on a new volume so that
/// an earlier tenant's file system cannot be opened from a copy of its superblock:
///
///     the first and the last MiB      superblocks and partition tables; their copies at a device's end (GPT,
///                                     md, ZFS, hardware RAID)
///     1, 2 and 4 MiB                  secondary LUKS2 headers, VMFS
///     64 MiB, 256 GiB                 copies of the btrfs superblock
///     ext2/3/4 groups 1, 3^n, 5^n,    backup superblocks, for each block size from 1 to 64 KiB and groups of the
///     7^n                             size that mke2fs makes (8 blocks per byte of a block)
///     the first sector of each XFS    secondary superblocks, for the number of groups that mkfs.xfs takes of
///     allocation group                itself: 4, or a group per TiB; 8, 16 or 32 on striped storage
///
/// Not covered, because only the lost primary superblock tells where they would be: XFS groups of another
/// number (agcount=, or a file system that was grown), or rounded to a stripe; ext4 with mke2fs -g, -G of
/// meta_bg or bigalloc. Only the proof of the whole device rules those out.
///
/// Offsets and lengths are multiples of 4096 but at the device's end; sorted, none touches the next.
[[nodiscard]] std::vector<Extent> proof_places(std::uint64_t device_bytes);

/// The ext2/3/4 backup superblocks alone, by their first byte: those of them that lie on the device, sorted.
[[nodiscard]] std::vector<std::uint64_t> ext_backup_superblocks(std::uint64_t device_bytes);

}  // namespace holdfast::block
