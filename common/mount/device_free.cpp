#include "common/mount/device_free.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <thread>

#include "common/base/fd.h"

namespace holdfast::mount {
namespace {

constexpr int kLooks = 10;
constexpr std::chrono::milliseconds kBetweenLooks{20};

bool is_gone(int error) { return error == ENOENT || error == ENXIO || error == ENODEV; }

bool shows(const MountEntry& entry, dev_t device) {
  if (entry.major == major(device) && entry.minor == minor(device)) return true;
  if (entry.type != "devtmpfs" || entry.root == "/") return false;
  struct stat node {};
  return ::stat(("/dev" + entry.root).c_str(), &node) == 0 && S_ISBLK(node.st_mode) && node.st_rdev == device;
}

}  // namespace

Result<std::optional<dev_t>> device_number(const std::string& device) {
  struct stat info {};
  if (::stat(device.c_str(), &info) != 0) {
    if (is_gone(errno)) return std::optional<dev_t>{};
    return fail_errno(errno, "look at " + device);
  }
  if (!S_ISBLK(info.st_mode)) return fail(Code::kInvalidArgument, device + " is not a block device");
  return std::optional(info.st_rdev);
}

Mounts mounts_of_device(const Mounts& mounts, dev_t device) {
  Mounts found;
  std::ranges::copy_if(mounts, std::back_inserter(found),
                       [device](const MountEntry& entry) { return shows(entry, device); });
  return found;
}

Result<std::vector<std::string>> places_of(dev_t device) {
  HOLDFAST_TRY(const auto table, MountTable::open());
  HOLDFAST_TRY(const auto mounts, table->now());
  std::vector<std::string> places;
  for (const MountEntry& entry : mounts_of_device(*mounts, device)) places.push_back(entry.target);
  return places;
}

Status check_device_is_free(const Mounts& mounts, const std::string& device) {
  HOLDFAST_TRY(const std::optional<dev_t> number, device_number(device));
  if (!number) return {};
  const Mounts left = mounts_of_device(mounts, *number);
  if (!left.empty()) {
    return fail(Code::kFailedPrecondition, device + " is still mounted at " + left.front().target);
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
