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

bool is_netns(int fd) {
  struct statfs where {};
  return ::fstatfs(fd, &where) == 0 && where.f_type == NSFS_MAGIC &&
         ::ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

}  // namespace

Result<Fd> open_netns(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return fail_errno(errno, "open network namespace '" + path + "'");
  if (!is_netns(fd.get())) return fail(Code::kInvalidArgument, "'" + path + "' is not a network namespace");
  return fd;
}

Result<bool> same_netns(int netns_fd) {
  struct stat theirs {};
  struct stat ours {};
  if (::fstat(netns_fd, &theirs) != 0) return fail_errno(errno, "look at a network namespace");
  if (::stat("/proc/thread-self/ns/net", &ours) != 0)
    return fail_errno(errno, "look at /proc/thread-self/ns/net");
  return theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

Status run_in_netns(int netns_fd, const std::function<void()>& body) {
  HOLDFAST_TRY(const Fd home, open_netns("/proc/thread-self/ns/net"));
  if (::setns(netns_fd, CLONE_NEWNET) != 0) return fail_errno(errno, "join network namespace");
  body();
  if (::setns(home.get(), CLONE_NEWNET) != 0) std::abort();
  return {};
}

Result<Fd> make_netns() {
  HOLDFAST_TRY(const Fd home, open_netns("/proc/thread-self/ns/net"));
  Result<Fd> made = fail(Code::kInternal, "no network namespace was made");
  HOLDFAST_CHECK(run_in_netns(home.get(), [&made] {
    made = ::unshare(CLONE_NEWNET) == 0 ? open_netns("/proc/thread-self/ns/net")
                                        : Result<Fd>(fail_errno(errno, "make a network namespace"));
  }));
  return made;
}

}  // namespace holdfast::nl
