#include "common/netlink/netns.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstdlib>

namespace holdfast::nl {
namespace {

constexpr const char* kOwn = "/proc/thread-self/ns/net";

Result<Fd> open_own() {
  Fd fd(::open(kOwn, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, std::string("open ") + kOwn);
  return fd;
}

// Goes there and back: setns(2) refuses a namespace of another kind than it is told.
Result<bool> can_be_joined(int fd) {
  HOLDFAST_TRY(const Fd home, open_own());
  if (::setns(fd, CLONE_NEWNET) != 0) {
    if (errno == EINVAL) return false;
    return fail_errno(errno, "join a network namespace, to see whether it is one");
  }
  if (::setns(home.get(), CLONE_NEWNET) != 0) std::abort();
  return true;
}

Result<bool> is_netns(int fd) {
  struct statfs where {};
  if (::fstatfs(fd, &where) != 0 || where.f_type != NSFS_MAGIC) return false;
  const int kind = ::ioctl(fd, NS_GET_NSTYPE);
  if (kind >= 0) return kind == CLONE_NEWNET;
  // Every kernel of ours knows the question; a program that stands between us and it, as qemu's user mode
  // does for another processor's, may not.
  if (errno == ENOTTY || errno == ENOSYS) return can_be_joined(fd);
  return false;
}

}  // namespace

Result<Fd> open_netns(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return fail_errno(errno, "open network namespace '" + path + "'");
  HOLDFAST_TRY(const bool is_one, is_netns(fd.get()));
  if (!is_one) return fail(Code::kInvalidArgument, "'" + path + "' is not a network namespace");
  return fd;
}

Result<bool> same_netns(int netns_fd) {
  struct stat theirs {};
  struct stat ours {};
  if (::fstat(netns_fd, &theirs) != 0) return fail_errno(errno, "look at a network namespace");
  if (::stat(kOwn, &ours) != 0) return fail_errno(errno, std::string("look at ") + kOwn);
  return theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

Status run_in_netns(int netns_fd, const std::function<void()>& body) {
  HOLDFAST_TRY(const Fd home, open_own());
  if (::setns(netns_fd, CLONE_NEWNET) != 0) return fail_errno(errno, "join network namespace");
  body();
  if (::setns(home.get(), CLONE_NEWNET) != 0) std::abort();
  return {};
}

Result<Fd> make_netns() {
  HOLDFAST_TRY(const Fd home, open_own());
  Result<Fd> made = fail(Code::kInternal, "no network namespace was made");
  HOLDFAST_CHECK(run_in_netns(home.get(), [&made] {
    made =
        ::unshare(CLONE_NEWNET) == 0 ? open_own() : Result<Fd>(fail_errno(errno, "make a network namespace"));
  }));
  return made;
}

}  // namespace holdfast::nl
