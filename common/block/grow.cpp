#include "common/block/grow.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>

#include <cerrno>

#include "common/base/fd.h"
#include "common/block/ext_superblock.h"

namespace holdfast::block {
namespace {

// The kernel's fs/xfs/libxfs/xfs_fs.h, which Debian's kernel headers leave out.
struct XfsGeometry {
  std::uint32_t block_bytes;
  std::uint32_t realtime_extent_blocks;
  std::uint32_t group_blocks;
  std::uint32_t group_count;
  std::uint32_t log_blocks;
  std::uint32_t sector_bytes;
  std::uint32_t inode_bytes;
  std::uint32_t inode_percent;
  std::uint64_t data_blocks;
  std::uint64_t realtime_blocks;
  std::uint64_t realtime_extents;
  std::uint64_t log_start;
  unsigned char uuid[16];
  std::uint32_t rest[7];
};
struct XfsGrow {
  std::uint64_t new_blocks;
  std::uint32_t inode_percent;
};
constexpr unsigned long kXfsGeometry = _IOR('X', 100, XfsGeometry);
constexpr unsigned long kXfsGrow = _IOW('X', 110, XfsGrow);
// A last allocation group smaller than this is not made. Source: XFS_MIN_AG_BLOCKS.
constexpr std::uint64_t kXfsLeastGroupBlocks = 64;

// The kernel's fs/ext4/ext4.h.
constexpr unsigned long kExtResize = _IOW('f', 16, std::uint64_t);

bool is_ext(const std::string& type) { return type == "ext4" || type == "ext3" || type == "ext2"; }

Result<Fd> open_mount(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return fail_errno(errno, "open " + path);
  return fd;
}

Result<XfsGeometry> geometry_of(int mount, const std::string& path) {
  XfsGeometry geometry{};
  if (::ioctl(mount, kXfsGeometry, &geometry) != 0) return fail_errno(errno, "geometry of xfs at " + path);
  return geometry;
}

Status grow_xfs(int mount, const std::string& path, std::uint64_t device_bytes) {
  HOLDFAST_TRY(const XfsGeometry now, geometry_of(mount, path));
  const std::uint64_t blocks = device_bytes / now.block_bytes;
  if (blocks <= now.data_blocks) return {};
  XfsGrow grow{.new_blocks = blocks, .inode_percent = now.inode_percent};
  if (::ioctl(mount, kXfsGrow, &grow) == 0) return {};
  const int error = errno;
  // The kernel refuses to make a group that is too small; such a rest stays unused.
  const bool only_a_rest = error == EINVAL && blocks - now.data_blocks < kXfsLeastGroupBlocks;
  return only_a_rest ? Status{} : Status(fail_errno(error, "grow xfs at " + path));
}

Status grow_ext(int mount, const std::string& path, const std::string& device, std::uint64_t device_bytes) {
  // Asked first, as the ioctl refuses a node without CAP_SYS_RESOURCE even where nothing is to be done.
  const auto super = read_ext_superblock(device);
  if (super && *super && (*super)->size_bytes + (*super)->block_bytes > device_bytes) return {};
  struct statfs info {};
  if (::fstatfs(mount, &info) != 0) return fail_errno(errno, "statfs " + path);
  std::uint64_t blocks = device_bytes / static_cast<std::uint64_t>(info.f_bsize);
  if (::ioctl(mount, kExtResize, &blocks) != 0) return fail_errno(errno, "grow ext4 at " + path);
  return {};
}

}  // namespace

Result<std::uint64_t> device_size_bytes(const std::string& device) {
  const Fd fd(::open(device.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return fail_errno(errno, "open " + device);
  std::uint64_t bytes = 0;
  if (::ioctl(fd.get(), BLKGETSIZE64, &bytes) != 0) return fail_errno(errno, "size of " + device);
  return bytes;
}

Status grow_file_system(const std::string& fs_type, const std::string& mount_path, const std::string& device,
                        std::uint64_t wanted_bytes) {
  if (!is_ext(fs_type) && fs_type != "xfs") {
    return fail(Code::kUnimplemented, "grow " + mount_path + ": " + fs_type + " cannot grow");
  }
  HOLDFAST_TRY(const std::uint64_t bytes, device_size_bytes(device));
  if (bytes < wanted_bytes) {
    return fail(Code::kUnavailable, "grow " + mount_path + ": " + device + " has " + std::to_string(bytes) +
                                        " bytes yet, " + std::to_string(wanted_bytes) + " are wanted");
  }
  HOLDFAST_TRY(const Fd mount, open_mount(mount_path));
  return is_ext(fs_type) ? grow_ext(mount.get(), mount_path, device, bytes)
                         : grow_xfs(mount.get(), mount_path, bytes);
}

}  // namespace holdfast::block
