#include "common/mount/bind.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <utility>

#include "common/base/fd.h"

namespace holdfast::mount {
namespace {

constexpr auto kEmptyPath = static_cast<unsigned>(AT_EMPTY_PATH);

std::string path_of(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

Status bind_aside(int source, int target, bool read_only, const std::string& what) {
  const Fd tree(::open_tree(source, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | kEmptyPath));
  if (!tree.valid()) return fail_errno(errno, what);
  if (read_only) {
    struct mount_attr attributes {};
    attributes.attr_set = MOUNT_ATTR_RDONLY;
    if (::mount_setattr(tree.get(), "", kEmptyPath, &attributes, sizeof(attributes)) != 0) {
      return fail_errno(errno, what + " read-only");
    }
  }
  if (::move_mount(tree.get(), "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) {
    return fail_errno(errno, what);
  }
  return {};
}

// A remount sets all flags of a mount anew, so those that it has must be given again.
unsigned long flags_of(int fd) {
  struct statvfs info {};
  if (::fstatvfs(fd, &info) != 0) return 0;
  constexpr std::array<std::pair<unsigned long, unsigned long>, 6> kSame{{{ST_NOSUID, MS_NOSUID},
                                                                          {ST_NODEV, MS_NODEV},
                                                                          {ST_NOEXEC, MS_NOEXEC},
                                                                          {ST_NOATIME, MS_NOATIME},
                                                                          {ST_NODIRATIME, MS_NODIRATIME},
                                                                          {ST_RELATIME, MS_RELATIME}}};
  unsigned long flags = 0;
  for (const auto& [seen, flag] : kSame) {
    if ((info.f_flag & seen) != 0) flags |= flag;
  }
  return flags;
}

Status bind_in_place(int source, int target, bool read_only, const std::string& what) {
  // The name that leads to the target, as the descriptor goes on meaning what is under the new mount.
  std::array<char, PATH_MAX> name{};
  if (::readlink(path_of(target).c_str(), name.data(), name.size() - 1) <= 0) return fail_errno(errno, what);
  if (::mount(path_of(source).c_str(), path_of(target).c_str(), nullptr, MS_BIND, nullptr) != 0) {
    return fail_errno(errno, what);
  }
  if (!read_only) return {};
  const Fd mounted(::open(name.data(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  const unsigned long flags =
      MS_REMOUNT | MS_BIND | MS_RDONLY | (mounted.valid() ? flags_of(mounted.get()) : 0);
  if (mounted.valid() && ::mount(nullptr, path_of(mounted.get()).c_str(), nullptr, flags, nullptr) == 0)
    return {};
  const int error = errno;
  // Detached, as our own descriptor keeps it busy; nobody has been told of it yet.
  static_cast<void>(::umount2(name.data(), MNT_DETACH | UMOUNT_NOFOLLOW));
  return fail_errno(error, what + " read-only");
}

}  // namespace

BindMethod best_bind_method() {
  // The newest of the three calls; where it is there it objects to the descriptor.
  struct mount_attr attributes {};
  const bool missing =
      ::mount_setattr(-1, "", kEmptyPath, &attributes, sizeof(attributes)) != 0 && errno == ENOSYS;
  return missing ? BindMethod::kInPlace : BindMethod::kAside;
}

Status bind(int source, int target, bool read_only, BindMethod method, const std::string& target_name) {
  const std::string what = "bind at " + target_name;
  return method == BindMethod::kAside ? bind_aside(source, target, read_only, what)
                                      : bind_in_place(source, target, read_only, what);
}

}  // namespace holdfast::mount
