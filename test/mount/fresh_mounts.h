#pragma once

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <stdexcept>
#include <string>

namespace holdfast::test {

/// Puts the calling thread, and programs that it starts, into a mount namespace of its own, for good: ctest
/// runs each case in a process of its own. What is mounted in it goes with the process, also when that is
/// killed. /mnt is an empty tmpfs there, and nothing reaches the machine's own mounts.
class FreshMounts {
 public:
  FreshMounts() {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("mnt", "/mnt", "tmpfs", 0, "mode=755") != 0) {
      throw std::runtime_error("cannot make a mount namespace; run as root");
    }
  }
  FreshMounts(const FreshMounts&) = delete;
  FreshMounts& operator=(const FreshMounts&) = delete;
  /// For the cases that come after this one in the same process.
  ~FreshMounts() { static_cast<void>(::umount2("/mnt", MNT_DETACH)); }

  /// A new folder in /mnt.
  static std::string folder(const std::string& name) {
    const std::string path = "/mnt/" + name;
    if (::mkdir(path.c_str(), 0755) != 0) throw std::runtime_error("cannot make " + path);
    return path;
  }
};

}  // namespace holdfast::test
