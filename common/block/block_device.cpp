#include "common/block/block_device.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace holdfast::block {
namespace {

tl::unexpected<Error> fail_at(int sys_errno, std::string_view verb, const std::string& name,
                              std::uint64_t offset) {
  std::string what(verb);
  what += ' ' + name + " at byte " + std::to_string(offset);
  return fail_errno(sys_errno, what);
}

}  // namespace

bool all_zero(std::span<const std::byte> bytes) {
  // A row that begins with zero and equals itself one byte further on is zero; memcmp(3) is much faster than
  // a loop.
  return bytes.empty() ||
         (bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

AlignedBuffer::AlignedBuffer(std::size_t bytes)
    : bytes_(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{kAlignment}))), size_(bytes) {}

void AlignedBuffer::Frees::operator()(std::byte* bytes) const noexcept {
  ::operator delete (bytes, std::align_val_t{kAlignment});
}

SystemBlockDevice::SystemBlockDevice(std::string name, Fd fd, dev_t number, std::uint64_t size_bytes,
                                     std::uint32_t sector_bytes)
    : name_(std::move(name)),
      fd_(std::move(fd)),
      number_(number),
      size_bytes_(size_bytes),
      sector_bytes_(sector_bytes) {}

Result<std::unique_ptr<SystemBlockDevice>> SystemBlockDevice::open(const std::string& path, Access access) {
  // O_NONBLOCK: something else than a block device gives an answer instead of a wait.
  const int flags = access == Access::kExclusive ? O_RDWR | O_EXCL : O_RDONLY;
  Fd fd(::open(path.c_str(), flags | O_DIRECT | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) {
    return fail_errno(errno, "open " + path);
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0 || !S_ISBLK(info.st_mode)) {
    return fail(Code::kInvalidArgument, path + " is not a block device");
  }
  std::uint64_t size_bytes = 0;
  int sector_bytes = 0;
  if (::ioctl(fd.get(), BLKGETSIZE64, &size_bytes) != 0 || ::ioctl(fd.get(), BLKSSZGET, &sector_bytes) != 0) {
    return fail_errno(errno, "size of " + path);
  }
  return std::unique_ptr<SystemBlockDevice>(new SystemBlockDevice(
      path, std::move(fd), info.st_rdev, size_bytes, static_cast<std::uint32_t>(sector_bytes)));
}

Status SystemBlockDevice::read(std::uint64_t offset, std::span<std::byte> into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t n =
        ::pread(fd_.get(), into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_at(errno, "read", name_, offset + done);
    if (n == 0)
      return fail(Code::kOutOfRange, "read " + name_ + ": it ends at byte " + std::to_string(offset + done));
    done += static_cast<std::size_t>(n);
  }
  return {};
}

Status SystemBlockDevice::write(std::uint64_t offset, std::span<const std::byte> from) {
  if (offset + from.size() > size_bytes_) {
    return fail(Code::kOutOfRange, "write " + name_ + ": it ends at byte " + std::to_string(size_bytes_));
  }
  std::size_t done = 0;
  while (done < from.size()) {
    const ssize_t n =
        ::pwrite(fd_.get(), from.data() + done, from.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_at(errno, "write", name_, offset + done);
    if (n == 0) return fail_at(EIO, "write", name_, offset + done);
    done += static_cast<std::size_t>(n);
  }
  return {};
}

Status SystemBlockDevice::zero(std::uint64_t offset, std::uint64_t length) {
  if (can_release_) {
    if (::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                    static_cast<off_t>(length)) == 0) {
      return {};
    }
    if (errno != EOPNOTSUPP) return fail_at(errno, "zero", name_, offset);
    can_release_ = false;
  }
  std::array<std::uint64_t, 2> range{offset, length};
  if (::ioctl(fd_.get(), BLKZEROOUT, range.data()) != 0) return fail_at(errno, "zero", name_, offset);
  return {};
}

Status SystemBlockDevice::flush() {
  if (::fsync(fd_.get()) != 0) return fail_errno(errno, "flush " + name_);
  return {};
}

}  // namespace holdfast::block
