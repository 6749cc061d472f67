#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "csi-disk/sim/disk_bays.h"

namespace holdfast::disk {

/// Disks as loop devices, with links to them as udev makes them of virtio's disks:
///
///     BY_ID/virtio-SERIAL -> /dev/loop3
///
/// A loop device tells no serial number; the name of its file is it.
class LoopBays final : public DiskBays {
 public:
  /// Images are in `images`, each called SERIAL.img.
  LoopBays(std::filesystem::path images, std::filesystem::path by_id)
      : images_(std::move(images)), by_id_(std::move(by_id)) {}

  Result<std::map<std::string, std::string>> plugged() override;
  Status plug(const std::string& serial, const std::filesystem::path& image,
              const std::string& node) override;
  Status unplug(const std::string& serial) override;
  Status resize(const std::string& serial) override;

 private:
  [[nodiscard]] std::filesystem::path link_of(const std::string& serial) const;
  [[nodiscard]] Status make_link(const std::string& serial, const std::string& device) const;

  std::filesystem::path images_;
  std::filesystem::path by_id_;
};

}  // namespace holdfast::disk
