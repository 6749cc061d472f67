#include "test/block/disk_tools.h"

#include <sys/mount.h>
#include <sys/statfs.h>

#include <cerrno>

#include "test/catch.h"

namespace holdfast::test {

std::uint64_t total_bytes(const std::string& path) {
  struct statfs info {};
  REQUIRE(::statfs(path.c_str(), &info) == 0);
  return info.f_blocks * static_cast<std::uint64_t>(info.f_bsize);
}

int mount_errno(const LoopDevice& disk, const std::string& path, const char* type, const char* options) {
  return ::mount(disk.path().c_str(), path.c_str(), type, 0, options) == 0 ? 0 : errno;
}

}  // namespace holdfast::test
