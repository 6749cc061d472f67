#include "test/tools/change_ioctls.h"

#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/loop.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <iterator>

namespace holdfast::test {
namespace {

/// Of ext4 and xfs, which have no public header for them. Source: fs/ext4/ext4.h, fs/xfs/libxfs/xfs_fs.h.
constexpr std::uint64_t kExtResize = _IOW('f', 16, std::uint64_t);
constexpr std::uint64_t kXfsGrowData = _IOC(_IOC_WRITE, 'X', 110, 16);

constexpr std::uint64_t kChanging[] = {
    SIOCADDRT,          SIOCDELRT,       SIOCSIFFLAGS,   SIOCSIFADDR,       SIOCSIFDSTADDR,    SIOCSIFBRDADDR,
    SIOCSIFNETMASK,     SIOCSIFMETRIC,   SIOCSIFMTU,     SIOCSIFNAME,       SIOCSIFHWADDR,     SIOCDIFADDR,
    SIOCSARP,           SIOCDARP,        SIOCSIFTXQLEN,  SIOCBRADDBR,       SIOCBRDELBR,       SIOCBRADDIF,
    SIOCBRDELIF,        FS_IOC_SETFLAGS, TUNSETIFF,      TUNSETPERSIST,     FICLONE,           FICLONERANGE,
    FIFREEZE,           FITHAW,          FITRIM,         BLKROSET,          BLKDISCARD,        BLKSECDISCARD,
    BLKZEROOUT,         LOOP_SET_FD,     LOOP_CLR_FD,    LOOP_SET_STATUS64, LOOP_SET_CAPACITY, LOOP_CONFIGURE,
    LOOP_CTL_ADD,       LOOP_CTL_REMOVE, kExtResize,     kXfsGrowData,      DM_REMOVE_ALL,     DM_DEV_CREATE,
    DM_DEV_REMOVE,      DM_DEV_RENAME,   DM_DEV_SUSPEND, DM_TABLE_LOAD,     DM_TABLE_CLEAR,    DM_TARGET_MSG,
    DM_DEV_SET_GEOMETRY};

}  // namespace

bool is_changing_request(std::uint64_t request) {
  return std::ranges::find(kChanging, request) != std::end(kChanging);
}

}  // namespace holdfast::test
