#include "csi-disk/sim/loop_device.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include "common/base/fd.h"

namespace holdfast::disk {
namespace {

constexpr int kMostTries = 64;  // others take free loop devices, too

Result<Fd> open_device(const std::string& device, int flags) {
  Fd fd(::open(device.c_str(), flags | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, "open " + device);
  return fd;
}

}  // namespace

Result<std::map<std::string, std::string>> loops_below(const std::filesystem::path& folder) {
  std::map<std::string, std::string> out;
  std::error_code error;
  const std::filesystem::path wanted = std::filesystem::weakly_canonical(folder, error);
  for (const auto& entry : std::filesystem::directory_iterator("/sys/block", error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("loop")) continue;
    std::ifstream file(entry.path() / "loop" / "backing_file");
    std::string line;
    if (!std::getline(file, line)) continue;
    const std::filesystem::path image(line);
    if (image.parent_path() == wanted && image.extension() == ".img") out[image.stem()] = "/dev/" + name;
  }
  if (error) return fail_errno(error.value(), "read /sys/block");
  return out;
}

Result<std::string> add_loop(const std::filesystem::path& image) {
  HOLDFAST_TRY(const Fd control, open_device("/dev/loop-control", O_RDWR));
  const Fd file(::open(image.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return fail_errno(errno, "open " + image.string());
  for (int n = 0; n < kMostTries; ++n) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return fail_errno(errno, "find a free loop device");
    const std::string device = "/dev/loop" + std::to_string(number);
    HOLDFAST_TRY(const Fd fd, open_device(device, O_RDWR));
    loop_config config{};
    config.fd = static_cast<__u32>(file.get());
    if (::ioctl(fd.get(), LOOP_CONFIGURE, &config) == 0) return device;
    if (errno != EBUSY) return fail_errno(errno, "put " + image.string() + " on " + device);
  }
  return fail(Code::kUnavailable, "every free loop device is taken by others");
}

Status remove_loop(const std::string& device) {
  HOLDFAST_TRY(const Fd fd, open_device(device, O_RDWR));
  if (::ioctl(fd.get(), LOOP_CLR_FD, 0) == 0 || errno == ENXIO) return {};
  return fail_errno(errno, "free " + device);
}

Status resize_loop(const std::string& device) {
  HOLDFAST_TRY(const Fd fd, open_device(device, O_RDWR));
  if (::ioctl(fd.get(), LOOP_SET_CAPACITY, 0) == 0) return {};
  return fail_errno(errno, "resize " + device);
}

Result<bool> is_device_held(const std::string& device) {
  const Fd fd(::open(device.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
  if (fd.valid() || errno == ENXIO || errno == ENOENT) return false;
  if (errno == EBUSY) return true;
  return fail_errno(errno, "open " + device);
}

}  // namespace holdfast::disk
