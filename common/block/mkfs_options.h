#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::block {

/// The file systems that we make. ext2 and others are mounted where they are found, never made.
enum class FsType : std::uint8_t { kExt3, kExt4, kXfs, kVfat };

/// "ext3", "ext4", "xfs", "vfat"; as in a StorageClass, and as libblkid and mount(2) say it.
[[nodiscard]] std::string_view to_string(FsType type);
/// "" is ext4, the default. Errors: kInvalidArgument naming what is supported.
[[nodiscard]] Result<FsType> parse_fs_type(std::string_view text);

/// The words of mkfsOptions, which are separated by blanks; there is no quoting.
[[nodiscard]] std::vector<std::string> split_words(std::string_view text);

/// Whether mkfs may be run with these words of a user's. Allowed is a list: options of size, layout, features
/// and label, with values that give a file system which can be mounted on any machine. Refused is everything
/// else: what names a path or a device (-d, -J device=, -l logdev=, -p, -r), what forces, dry-runs or chooses
/// the uuid, what makes no file system (journal_dev), and what puts backup superblocks where the blank proof
/// does not look (-g, -C, bigalloc, sparse_super2, offset=, agsize=). Whether the device has room for all of
/// it mkfs alone can tell. Errors: kInvalidArgument naming the word.
[[nodiscard]] Status check_mkfs_options(FsType type, const std::vector<std::string>& words);

}  // namespace holdfast::block
