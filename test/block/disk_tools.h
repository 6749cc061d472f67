#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/base/exec.h"
#include "common/block/filesystem.h"
#include "test/block/loop_device.h"

/// What the tests of file systems on real disks share.
namespace holdfast::test {

inline constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

/// mkfs and its kind, with time enough for a slow machine.
struct DiskTools {
  static constexpr std::chrono::minutes kAmple{1};

  SystemExecutor executor;
  block::FileSystems file_systems{executor};

  Status make(const LoopDevice& disk, const block::FileSystemSpec& spec) {
    return file_systems.make(disk.path(), spec, kAmple);
  }
};

/// Of the file system that is mounted at the path. Failing to look ends the case.
[[nodiscard]] std::uint64_t total_bytes(const std::string& path);

/// Mounts the disk; 0, or the errno of mount(2).
int mount_errno(const LoopDevice& disk, const std::string& path, const char* type,
                const char* options = nullptr);

}  // namespace holdfast::test
