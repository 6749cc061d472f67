#include "test/block/loop_device.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <vector>

namespace holdfast::test {
namespace {

[[noreturn]] void give_up(const char* what) {
  throw std::runtime_error(std::string(what) + ": errno " + std::to_string(errno) + " (run as root)");
}

}  // namespace

LoopDevice::LoopDevice(std::uint64_t bytes, std::uint32_t sector_bytes)
    : file_(::memfd_create("disk", MFD_CLOEXEC)) {
  if (::ftruncate(file_.get(), static_cast<off_t>(bytes)) != 0) give_up("make a file in memory");
  const Fd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  loop_config config{};
  config.fd = static_cast<__u32>(file_.get());
  config.block_size = sector_bytes;
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
  // Another test may take the free one first.
  for (int tries = 0; tries < 50; ++tries) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) give_up("find a free loop device");
    path_ = "/dev/loop" + std::to_string(number);
    device_.reset(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    if (::ioctl(device_.get(), LOOP_CONFIGURE, &config) == 0) return;
  }
  give_up("make a loop device");
}

void LoopDevice::grow_to(std::uint64_t bytes) {
  if (::ftruncate(file_.get(), static_cast<off_t>(bytes)) != 0) give_up("grow a file in memory");
  if (::ioctl(device_.get(), LOOP_SET_CAPACITY) != 0) give_up("grow a loop device");
}

void LoopDevice::copy_from(const LoopDevice& source) {
  if (::fsync(source.device_.get()) != 0) give_up("flush a disk");
  std::vector<char> piece(std::size_t{1} << 20);
  off_t offset = 0;
  while ((offset = ::lseek(source.file_.get(), offset, SEEK_DATA)) >= 0) {
    const ssize_t n = ::pread(source.file_.get(), piece.data(), piece.size(), offset);
    if (n <= 0 || ::pwrite(file_.get(), piece.data(), static_cast<std::size_t>(n), offset) != n)
      give_up("copy a disk");
    offset += n;
  }
}

}  // namespace holdfast::test
