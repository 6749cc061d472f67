#include "common/mount/device_free.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "common/base/fd.h"

namespace holdfast::mount {
namespace {

constexpr int kLooks = 10;
constexpr std::chrono::milliseconds kBetweenLooks{20};

bool is_gone(int error) { return error == ENOENT || error == ENXIO || error == ENODEV; }

bool shows(const MountEntry& entry, const struct stat& device, const std::string& path) {
  if (entry.major == major(device.st_rdev) && entry.minor == minor(device.st_rdev)) return true;
  // A raw volume's node, bound at a pod's path.
  return entry.type == "devtmpfs" && entry.root != "/" && path == "/dev" + entry.root;
}

}  // namespace

Status check_device_is_free(const Mounts& mounts, const std::string& device) {
  struct stat info {};
  if (::stat(device.c_str(), &info) != 0) {
    return is_gone(errno) ? Status{} : Status(fail_errno(errno, "look at " + device));
  }
  if (!S_ISBLK(info.st_mode)) return fail(Code::kInvalidArgument, device + " is not a block device");
  const auto left =
      std::ranges::find_if(mounts, [&](const MountEntry& entry) { return shows(entry, info, device); });
  if (left != mounts.end()) {
    return fail(Code::kFailedPrecondition, device + " is still mounted at " + left->target);
  }
  for (int looks = 1;; ++looks) {
    const Fd fd(::open(device.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK));
    if (fd.valid() || is_gone(errno)) return {};
    if (errno != EBUSY) return fail_errno(errno, "open " + device);
    if (looks == kLooks) break;
    std::this_thread::sleep_for(kBetweenLooks);
  }
  return fail(Code::kFailedPrecondition,
              device + " is still in use: another mount namespace has it mounted, or a device stands on it");
}

bool is_device_gone(const MountEntry& entry) {
  if (entry.major == 0) return false;  // of a file system without a device
  const std::string path =
      "/sys/dev/block/" + std::to_string(entry.major) + ":" + std::to_string(entry.minor);
  return ::access(path.c_str(), F_OK) != 0 && errno == ENOENT;
}

}  // namespace holdfast::mount
