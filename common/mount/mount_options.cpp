#include "common/mount/mount_options.h"

#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

#include "common/base/text.h"

namespace holdfast::mount {
namespace {

struct Flag {
  std::string_view word;
  unsigned long set;
  unsigned long clear = 0;
};

constexpr unsigned long kAtimeFlags = MS_NOATIME | MS_RELATIME | MS_STRICTATIME;

constexpr Flag kFlags[] = {
    {"ro", MS_RDONLY},
    {"rw", 0, MS_RDONLY},
    {"nosuid", MS_NOSUID},
    {"suid", 0, MS_NOSUID},
    {"nodev", MS_NODEV},
    {"dev", 0, MS_NODEV},
    {"noexec", MS_NOEXEC},
    {"exec", 0, MS_NOEXEC},
    {"sync", MS_SYNCHRONOUS},
    {"async", 0, MS_SYNCHRONOUS},
    {"dirsync", MS_DIRSYNC},
    {"noatime", MS_NOATIME, kAtimeFlags},
    {"atime", 0, MS_NOATIME},
    {"relatime", MS_RELATIME, kAtimeFlags},
    {"norelatime", 0, MS_RELATIME},
    {"strictatime", MS_STRICTATIME, kAtimeFlags},
    {"nostrictatime", 0, MS_STRICTATIME},
    {"nodiratime", MS_NODIRATIME},
    {"diratime", 0, MS_NODIRATIME},
    {"lazytime", MS_LAZYTIME},
    {"nolazytime", 0, MS_LAZYTIME},
    {"silent", MS_SILENT},
    // For user space, without effect here.
    {"defaults", 0},
    {"auto", 0},
    {"noauto", 0},
    {"nofail", 0},
    {"_netdev", 0},
    {"nouser", 0},
};

// Names of what each file system reads itself; a name alone or with a value.
constexpr std::string_view kExt =
    " acl noacl user_xattr nouser_xattr barrier nobarrier commit data data_err delalloc nodelalloc discard "
    "nodiscard "
    "errors grpid nogrpid bsdgroups sysvgroups inode_readahead_blks journal_async_commit journal_checksum "
    "journal_ioprio max_batch_time min_batch_time max_dir_size_kb minixdf bsddf nombcache noload norecovery "
    "init_itable noinit_itable auto_da_alloc noauto_da_alloc dioread_lock dioread_nolock block_validity "
    "noblock_validity prjquota usrquota grpquota noquota quota resgid resuid stripe ";
constexpr std::string_view kXfs =
    " allocsize attr2 discard nodiscard filestreams grpid nogrpid bsdgroups sysvgroups ikeep noikeep inode32 "
    "inode64 "
    "largeio nolargeio lifetime logbsize logbufs noalign norecovery nouuid noquota uquota usrquota gquota "
    "grpquota "
    "pquota prjquota pqnoenforce uqnoenforce gqnoenforce sunit swidth swalloc wsync ";
constexpr std::string_view kVfat =
    " uid gid umask dmask fmask allow_utime check codepage iocharset utf8 shortname tz time_offset quiet "
    "showexec flush "
    "errors discard nfs dos1xfloppy rodir ";

struct Known {
  std::string_view fs_type;
  std::string_view names;
  // What is asked for where no word says what an error does. Without it ext does what the volume's own
  // superblock says (tune2fs -e), which may be "panic": whoever wrote the volume would end the node.
  std::string_view on_errors = {};
};
constexpr std::string_view kExtOnErrors = "errors=remount-ro";
constexpr Known kKnown[] = {{"ext4", kExt, kExtOnErrors},
                            {"ext3", kExt, kExtOnErrors},
                            {"ext2", kExt, kExtOnErrors},
                            {"xfs", kXfs},
                            {"vfat", kVfat}};

const Known* known_of(std::string_view fs_type) {
  const auto known = std::ranges::find(kKnown, fs_type, &Known::fs_type);
  return known != std::end(kKnown) ? known : nullptr;
}

bool is_known(std::string_view fs_type, std::string_view name) {
  const Known* known = known_of(fs_type);
  return known != nullptr && known->names.find(" " + std::string(name) + " ") != std::string_view::npos;
}

bool is_plain(std::string_view value) {
  return std::ranges::all_of(value,
                             [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; });
}

void append(std::string& data, std::string_view option) {
  if (!data.empty()) data += ',';
  data += option;
}

bool says_what_errors_do(std::string_view data) {
  return data.starts_with("errors=") || data.find(",errors=") != std::string_view::npos;
}

// One option. False when it is not allowed.
bool take_option(std::string_view fs_type, std::string_view option, MountOptions& out) {
  if (const auto flag = std::ranges::find(kFlags, option, &Flag::word); flag != std::end(kFlags)) {
    out.flags = (out.flags & ~flag->clear) | flag->set;
    return true;
  }
  if (option.starts_with("x-")) return true;
  std::string_view value = option;
  const std::string_view name = take_until(value, '=');
  // One bad volume would take down the node, and what all others on it do.
  if (name == "errors" && value == "panic") return false;
  if (name.empty() || !is_plain(name) || !is_plain(value) || !is_known(fs_type, name)) return false;
  append(out.data, option);
  return true;
}

}  // namespace

bool MountOptions::read_only() const { return (flags & MS_RDONLY) != 0; }

Result<MountOptions> parse_mount_options(std::string_view fs_type, const std::vector<std::string>& words) {
  MountOptions options;
  for (const std::string& word : words) {
    std::string_view rest = word;
    while (!rest.empty()) {
      const std::string_view option = take_until(rest, ',');
      if (option.empty() || take_option(fs_type, option, options)) continue;
      return fail(Code::kInvalidArgument,
                  "mount option '" + std::string(option) + "' is not allowed for " + std::string(fs_type));
    }
  }
  const Known* known = known_of(fs_type);
  if (known != nullptr && !known->on_errors.empty() && !says_what_errors_do(options.data)) {
    append(options.data, known->on_errors);
  }
  return options;
}

}  // namespace holdfast::mount
