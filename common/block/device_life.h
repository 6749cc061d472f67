#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace holdfast::block {

/// Which device has a number now, and how much was ever written to it: while two looks tell the same, it is
/// the same device, it never went meanwhile, and nobody wrote to it. What writers have not flushed is not
/// counted yet (fsync(2) of the device, by anybody). Not seen is who writes past the device, to the disk
/// below a volume or to the file of a loop device.
struct DeviceLife {
  dev_t number = 0;
  /// Of the device's folder in sysfs, which is made when the device comes: no other folder has it in this
  /// boot. Source: fs/kernfs of the kernel, since 4.14.
  ino_t inode = 0;
  std::uint64_t sequence = 0;  ///< DeviceMarks::sequence, of a partition its disk's
  std::string source;          ///< a loop device's file, or device-mapper's uuid: "LVM-...", "CRYPT-..."
  std::uint64_t size_bytes = 0;
  std::uint64_t written_bytes = 0;   ///< since it is there
  std::uint64_t released_bytes = 0;  ///< by discards, likewise
  bool operator==(const DeviceLife&) const = default;
};

/// nullopt: it cannot be known, since there is no such device, or its kernel does not count what is written
/// (queue/iostats is 0). Source: Documentation/block/stat.rst, Documentation/ABI/stable/sysfs-block.
[[nodiscard]] std::optional<DeviceLife> life_of(dev_t number, const std::filesystem::path& sys = "/sys");

}  // namespace holdfast::block
