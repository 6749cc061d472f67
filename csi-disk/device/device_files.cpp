#include "csi-disk/device/device_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

namespace holdfast::disk {

Result<OpenDevice> SystemDeviceFiles::open(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return fail_errno(errno, "open " + path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail_errno(errno, "look at " + path);
  if (!S_ISBLK(info.st_mode)) return fail(Code::kInvalidArgument, path + " is not a block device");
  return OpenDevice{.fd = std::move(fd), .number = info.st_rdev};
}

}  // namespace holdfast::disk
