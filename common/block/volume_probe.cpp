#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "common/block/grow.h"
#include "common/block/volume_stats.h"

namespace holdfast::block {
namespace {

namespace fs = std::filesystem;

// A counter of sysfs, decimal or "0x1f"; 0 when it is not there.
std::uint64_t counter(const fs::path& file) {
  std::string text;
  std::ifstream(file) >> text;
  return std::strtoull(text.c_str(), nullptr, 0);
}

// Of the disk (SCSI counts commands that failed) and of the file system (ext4 counts what it found damaged).
std::uint64_t errors_of(dev_t device) {
  std::error_code error;
  const fs::path link =
      fs::path("/sys/dev/block") / (std::to_string(major(device)) + ":" + std::to_string(minor(device)));
  fs::path disk = fs::canonical(link, error);
  if (error) return 0;  // of no disk
  const std::string name = disk.filename().string();
  if (fs::exists(disk / "partition", error)) disk = disk.parent_path();
  return counter(disk / "device/ioerr_cnt") + counter(fs::path("/sys/fs/ext4") / name / "errors_count");
}

}  // namespace

Result<VolumeLook> SystemVolumeProbe::look(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return fail_errno(errno, "look at " + path);
  VolumeLook seen;
  if (S_ISBLK(info.st_mode)) {
    HOLDFAST_TRY(seen.usage.total_bytes, device_size_bytes(path));
    seen.io_errors = errors_of(info.st_rdev);
    return seen;
  }
  struct statvfs room {};
  if (::statvfs(path.c_str(), &room) != 0) return fail_errno(errno, "statvfs " + path);
  seen.usage.total_bytes = room.f_blocks * room.f_frsize;
  seen.usage.available_bytes = room.f_bavail * room.f_frsize;
  seen.usage.used_bytes = (room.f_blocks - room.f_bfree) * room.f_frsize;
  seen.usage.total_inodes = room.f_files;
  seen.usage.available_inodes = room.f_favail;
  seen.usage.used_inodes = room.f_files - room.f_ffree;
  seen.io_errors = errors_of(info.st_dev);
  return seen;
}

}  // namespace holdfast::block
