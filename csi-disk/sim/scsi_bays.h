#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "csi-disk/sim/disk_bays.h"

namespace holdfast::disk {

/// Disks as SCSI disks that tell their serial number, come and go with uevents, and grow: loop devices under
/// the kernel's own SCSI target (iblock), looped back to this machine. It is configured in
///
///     /sys/kernel/config/target/core/iblock_7777/SERIAL          the disk, on /dev/loopN
///     /sys/kernel/config/target/loopback/naa.5001405d15c00000/tpgt_1/lun/lun_N/disk -> the disk
///
/// and takes the modules target_core_iblock and tcm_loop. A machine has one simulator with them at a time.
/// The target makes the WWN of the hex digits in the serial number: two that differ in none must not be.
/// Source: Documentation/target/tcm_mod_builder.rst, drivers/target/loopback/tcm_loop.c of Linux.
class ScsiBays final : public DiskBays {
 public:
  /// Images are in `images`, each called SERIAL.img.
  explicit ScsiBays(std::filesystem::path images) : images_(std::move(images)) {}

  /// Makes the target. Errors: kFailedPrecondition when the kernel has none.
  Status open();

  Result<std::map<std::string, std::string>> plugged() override;
  Status plug(const std::string& serial, const std::filesystem::path& image,
              const std::string& node) override;
  Status unplug(const std::string& serial) override;
  Status resize(const std::string& serial) override;

 private:
  [[nodiscard]] Status make_backstore(const std::string& serial, const std::filesystem::path& image) const;
  [[nodiscard]] Status make_lun(const std::string& serial) const;
  [[nodiscard]] Result<std::map<std::string, int>> luns() const;
  [[nodiscard]] Result<std::filesystem::path> scsi_device(int lun) const;

  std::filesystem::path images_;
};

}  // namespace holdfast::disk
