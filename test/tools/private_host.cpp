#include "test/tools/private_host.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "common/base/fd.h"

namespace holdfast::test {
namespace {

Status mount_at(const std::string& source, const std::string& target, const char* type, unsigned long flags) {
  if (::mount(source.c_str(), target.c_str(), type, flags, nullptr) != 0) {
    return fail_errno(errno, "mount " + source + " at " + target);
  }
  return {};
}

Status make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno(errno, "mkdir " + path);
  return {};
}

Status bring_loopback_up() {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return fail_errno(errno, "open a socket");
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
  request.ifr_flags = IFF_UP;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return fail_errno(errno, "set lo up");
  return {};
}

Status mount_empty_run() {
  HOLDFAST_CHECK(mount_at("run", "/run", "tmpfs", MS_NOSUID | MS_NODEV));
  return make_folder("/run/netns");
}

/// `body` on a thread of its own, which ends with the call and takes its namespace with it.
Status on_fresh_thread(const std::function<Status()>& body) {
  Status done = fail(Code::kInternal, "the thread did not run");
  std::thread([&] { done = body(); }).join();
  return done;
}

}  // namespace

Status enter_private_host(const std::filesystem::path& state) {
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) return fail_errno(errno, "unshare namespaces");
  HOLDFAST_CHECK(mount_at("none", "/", nullptr, MS_REC | MS_PRIVATE));
  // Opened here: later `state` may be hidden, and a mount can be bound only within its own mount namespace.
  const Fd disk(state.empty() ? -1 : ::open(state.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!state.empty() && !disk.valid()) return fail_errno(errno, "open " + state.string());
  HOLDFAST_CHECK(mount_empty_run());
  if (::access("/var/lib/cni", F_OK) != 0) {  // nothing may be made on the machine's disk
    HOLDFAST_CHECK(mount_at("lib", "/var/lib", "tmpfs", MS_NOSUID | MS_NODEV));
    HOLDFAST_CHECK(make_folder("/var/lib/cni"));
  }
  const std::string source = "/proc/self/fd/" + std::to_string(disk.get());
  HOLDFAST_CHECK(disk.valid() ? mount_at(source, "/var/lib/cni", nullptr, MS_BIND)
                              : mount_at("state", "/var/lib/cni", "tmpfs", MS_NOSUID | MS_NODEV));
  return bring_loopback_up();
}

Status renew_private_host() {
  if (::unshare(CLONE_NEWNET) != 0) return fail_errno(errno, "unshare a network namespace");
  HOLDFAST_CHECK(mount_empty_run());
  return bring_loopback_up();
}

Status require_disk(const std::filesystem::path& folder) {
  struct statfs info {};
  if (::statfs(folder.c_str(), &info) != 0) return fail_errno(errno, "statfs " + folder.string());
  if (info.f_type == TMPFS_MAGIC || info.f_type == RAMFS_MAGIC) {
    return fail(Code::kFailedPrecondition,
                folder.string() + " lies in memory; name a folder on a disk (TMPDIR or --work)");
  }
  return {};
}

Result<std::filesystem::path> make_netns(const std::string& name) {
  const std::string path = "/run/netns/" + name;
  const Fd file(::open(path.c_str(), O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC, 0444));
  if (!file.valid()) return fail_errno(errno, "create " + path);
  const Status made = on_fresh_thread([&]() -> Status {
    if (::unshare(CLONE_NEWNET) != 0) return fail_errno(errno, "unshare a network namespace");
    HOLDFAST_CHECK(bring_loopback_up());
    return mount_at("/proc/thread-self/ns/net", path, nullptr, MS_BIND);
  });
  HOLDFAST_CHECK(made);
  return std::filesystem::path(path);
}

Status drop_netns(const std::filesystem::path& netns) {
  if (::umount2(netns.c_str(), MNT_DETACH) != 0) return fail_errno(errno, "umount " + netns.string());
  if (::unlink(netns.c_str()) != 0) return fail_errno(errno, "unlink " + netns.string());
  return {};
}

Status in_netns(const std::filesystem::path& netns, const std::function<Status()>& body) {
  const Fd fd(::open(netns.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, "open " + netns.string());
  return on_fresh_thread([&]() -> Status {
    if (::setns(fd.get(), CLONE_NEWNET) != 0) return fail_errno(errno, "join " + netns.string());
    return body();
  });
}

Result<std::vector<std::string>> link_names() {
  struct if_nameindex* const all = ::if_nameindex();
  if (all == nullptr) return fail_errno(errno, "list links");
  std::vector<std::string> names;
  for (const struct if_nameindex* link = all; link->if_name != nullptr; ++link) {
    names.emplace_back(link->if_name);
  }
  ::if_freenameindex(all);
  return names;
}

Result<std::vector<std::string>> link_names_in(const std::filesystem::path& netns) {
  std::vector<std::string> names;
  const Status listed = in_netns(netns, [&]() -> Status {
    HOLDFAST_TRY(names, link_names());
    return {};
  });
  HOLDFAST_CHECK(listed);
  return names;
}

}  // namespace holdfast::test
