#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/block/device_identity.h"
#include "csi-disk/device/device_files.h"
#include "csi-disk/device/device_news.h"
#include "csi-disk/device/disk_identity.h"

namespace holdfast::disk {

/// A disk that was found. While this lives the kernel gives neither the disk's name nor its number to another
/// one, also when the disk is pulled: so the paths are this disk's, or lead nowhere.
struct HeldDisk {
  DiskIdentity identity;                ///< all that it tells of itself
  std::string name;                     ///< "vdb"
  std::string disk;                     ///< "/dev/vdb"
  std::vector<std::string> partitions;  ///< "/dev/vdb1"
  std::vector<std::string> holders;     ///< kernel names of what stands on it or a partition of it (dm-0)
  std::uint64_t sequence = 0;           ///< block::DeviceMarks's
  Fd held;
};

/// Where the file system of a volume is: on the disk, or on its only partition, as disks that others made may
/// have one. Errors: kFailedPrecondition when it has several.
[[nodiscard]] Result<std::string> data_of(const HeldDisk& disk);

/// Finds disks by what lasts: the serial number or WWN that the kernel tells (sysfs), never by a kernel name.
/// A disk is opened once, and what was opened is looked at again by its number, so that one that was pulled
/// and replaced between the look and the open is seen. Links below /dev/disk/by-id are looked at as well: one
/// that leads to another disk is told, never followed. May be used from any thread; all parts outlive it.
class DeviceFinder {
 public:
  struct Parts {
    const block::DeviceDirectory& directory;
    DeviceFiles& files;
    DeviceNews& news;
    Clock& clock;
    std::filesystem::path dev = "/dev";
  };

  DeviceFinder(Parts parts, DeviceRules rules) : parts_(std::move(parts)), rules_(std::move(rules)) {}

  /// As things are now; nullopt: it is not attached. Errors: kFailedPrecondition when two devices are that
  /// disk (paths of a multipath device).
  [[nodiscard]] Result<std::optional<HeldDisk>> look(const DiskIdentity& wanted) const;

  /// Waits for it to come, `patience` at most: woken by the kernel and by new links. Errors: those of look();
  /// kUnavailable when it has not come, telling what was found instead; kCancelled when `cancelled` says so,
  /// which is asked at least once a second.
  [[nodiscard]] Result<HeldDisk> find(const DiskIdentity& wanted, std::chrono::nanoseconds patience,
                                      const std::function<bool()>& cancelled) const;

  /// The disk that a path leads to ("/dev/vdb", "/dev/disk/by-id/...", also of a partition), to be found by
  /// its identity from then on. Errors: kNotFound; kInvalidArgument when it is no block device;
  /// kFailedPrecondition when the disk tells neither serial number nor WWN, so that it could not be found
  /// again.
  [[nodiscard]] Result<DiskIdentity> identity_behind(const std::string& path) const;
  /// Of the disk with this number, or that the partition with this number is on.
  [[nodiscard]] Result<DiskIdentity> identity_of_number(dev_t number) const;

  [[nodiscard]] const DeviceRules& rules() const { return rules_; }

 private:
  [[nodiscard]] std::vector<std::string> names_like(const DiskIdentity& wanted) const;
  [[nodiscard]] Result<std::optional<HeldDisk>> hold(const std::string& name,
                                                     const DiskIdentity& wanted) const;
  [[nodiscard]] std::string why_not(const DiskIdentity& wanted) const;
  [[nodiscard]] Result<DiskIdentity> told_identity(const block::DeviceIdentity& device) const;

  Parts parts_;
  DeviceRules rules_;
};

}  // namespace holdfast::disk
