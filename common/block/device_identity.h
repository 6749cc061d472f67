#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace holdfast::block {

/// What tells a disk from all others, and what it is. Kernel names (sda, vdb) change at every boot and are
/// only good for finding the disk once.
struct DeviceIdentity {
  std::string kernel_name;  ///< "vdb", "nvme0n1", "sda1"
  dev_t number = 0;         ///< now; another one after a boot
  std::string wwn;     ///< "naa.6001405...", "eui.0025...", "nvme...": world-wide; empty when it has none
  std::string serial;  ///< as the maker wrote it, without blanks around; empty when it has none
  std::string vendor;  ///< of SCSI disks
  std::string model;   ///< of SCSI and NVMe disks
  std::vector<std::string> by_id;  ///< names in /dev/disk/by-id that lead here, sorted; none without udev
  std::uint64_t size_bytes = 0;
  bool rotational = false;
  bool read_only = false;
  bool removable = false;
  std::string whole_disk;               ///< of a partition: the kernel name of its disk; else empty
  std::string partition_uuid;           ///< of a partition with one (PARTUUID), lower case
  std::vector<std::string> partitions;  ///< kernel names, sorted
  std::vector<std::string> holders;     ///< kernel names of devices that stand on it (dm-0, md0), sorted
  std::vector<std::string> stands_on;   ///< of device-mapper's and md's: the reverse of holders, sorted
  std::string mapper_uuid;  ///< of device-mapper's, by who made it: "LVM-...", "mpath-...", "CRYPT-LUKS2-..."

  /// Something that lasts: with a WWN or a serial number the disk is found again whatever its name is then.
  [[nodiscard]] bool lasts() const { return !wwn.empty() || !serial.empty(); }
};

/// What a whole disk is known by: of DeviceIdentity only what one look for a disk among many needs.
struct DeviceMarks {
  std::string kernel_name;
  dev_t number = 0;
  std::string wwn;
  std::string serial;
  std::string backing_file;  ///< of a loop device with one: its path as the kernel tells it
  /// The number that the kernel gives each disk that comes, one that comes again too, never twice in a boot;
  /// 0: it tells none, as before 5.15. Source: Documentation/ABI/stable/sysfs-block (diskseq).
  std::uint64_t sequence = 0;
  bool operator==(const DeviceMarks&) const = default;
};

/// Block devices as sysfs tells of them. Stateless; reads anew at every call.
class DeviceDirectory {
 public:
  /// Other roots than the system's are for tests.
  explicit DeviceDirectory(std::filesystem::path sys = "/sys", std::filesystem::path dev = "/dev")
      : sys_(std::move(sys)), dev_(std::move(dev)) {}

  /// Of a device file or a link to one ("/dev/vdb", "/dev/disk/by-id/wwn-0x..."). Errors: kNotFound;
  /// kInvalidArgument when it is no block device.
  [[nodiscard]] Result<DeviceIdentity> identify(const std::string& path) const;
  /// By kernel name. Errors: kNotFound.
  [[nodiscard]] Result<DeviceIdentity> identify_name(const std::string& kernel_name) const;
  /// Whole disks, sorted by kernel name; RAM disks, and loop devices without a file, are left out.
  [[nodiscard]] Result<std::vector<DeviceIdentity>> list_disks() const;

  /// Of a disk, by kernel name. Errors: kNotFound.
  [[nodiscard]] Result<DeviceMarks> marks_of(const std::string& kernel_name) const;
  /// Of the disk that has this number now. Errors: kNotFound.
  [[nodiscard]] Result<DeviceMarks> marks_of(dev_t number) const;
  /// Kernel names of whole disks, sorted; RAM disks, and loop devices without a file, are left out.
  [[nodiscard]] std::vector<std::string> disk_names() const;

 private:
  [[nodiscard]] std::string read_line(const std::filesystem::path& file) const;
  [[nodiscard]] std::string wwn_of(const std::filesystem::path& disk) const;
  [[nodiscard]] std::string serial_of(const std::filesystem::path& disk) const;
  [[nodiscard]] Result<std::string> name_of(dev_t number) const;

  std::filesystem::path sys_;
  std::filesystem::path dev_;
};

/// Whether a program, a mount or another device has it open exclusively, in any namespace: open(O_EXCL) is
/// refused. Errors: errno of open(2) but EBUSY.
[[nodiscard]] Result<bool> is_in_use(const std::string& device);
/// Whether a program has locked it for itself (flock(2), LOCK_EX), as systemd and partitioning programs do
/// with what they write to; a shared lock, as udevd takes it to look, does not count. Errors: errno of
/// open(2), flock. Source: systemd, "Locking Block Device Access".
[[nodiscard]] Result<bool> is_locked(const std::string& device);

/// The serial number in the vital-product-data page 0x80 of a SCSI disk: four bytes of header (the last two
/// are the length), then text. Empty when the page is cut off or of another kind. Source: SPC-4, 7.8.18.
[[nodiscard]] std::string parse_serial_page(std::string_view page);

}  // namespace holdfast::block
