#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::mount {

/// Options as mount(2) takes them.
struct MountOptions {
  unsigned long flags = 0;  ///< MS_*
  std::string data = {};    ///< what the file system itself reads, comma-separated
  [[nodiscard]] bool read_only() const;
  bool operator==(const MountOptions&) const = default;
};

/// Options of a PV's mountOptions or a capability's mount_flags, a word or a comma-separated list each. Known
/// flags are taken; options of the file system itself are checked against a list for its type (ext2, ext3,
/// ext4, xfs, vfat, btrfs none). Refused is everything else, above all what names a path or a device
/// (journal_path=, logdev=), what changes what the call does (bind, remount, move, propagation), loop, and
/// what lets one volume's error end the node (errors=panic). Options for user space alone (defaults, _netdev,
/// nofail, auto, x-...) are dropped. For ext2, ext3 and ext4 errors=remount-ro is added where `words` have no
/// errors=: a volume's superblock cannot end the node either. Errors: kInvalidArgument naming the option.
[[nodiscard]] Result<MountOptions> parse_mount_options(std::string_view fs_type,
                                                       const std::vector<std::string>& words);

}  // namespace holdfast::mount
