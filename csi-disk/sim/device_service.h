#pragma once

#include <functional>
#include <map>
#include <string>

#include "csi-disk/sim/disk_bays.h"
#include "csi-disk/sim/disk_images.h"
#include "csi-disk/sim/disk_service.h"

namespace holdfast::disk {

/// A DiskService whose disks have content, and are block devices of DiskBays' machines while they are
/// attached to any machine of the cloud; to several at a time, of one of them. A detach of a device that
/// somebody still uses is refused as OperationConflict: no cloud can pull a disk out of Linux before it lets
/// go.
///
/// The catalogue is what counts. Images are made before it says that a disk is there, and removed at the next
/// call after it says that it is gone; devices are made to agree with it at each call, and at the start.
class DeviceService final : public DiskService {
 public:
  using Note = std::function<void(const std::string&)>;

  /// All outlive it; `note` gets what went wrong with a device, which is tried again at the next call.
  DeviceService(Clock& clock, DiskShop shop, DiskImages& images, DiskBays& bays, Note note)
      : DiskService(clock, std::move(shop)), images_(images), bays_(bays), note_(std::move(note)) {}

  /// Errors: kDataLoss for a disk without its image; those of DiskImages and DiskBays.
  Status begin(nlohmann::json& state) override;
  /// Takes all devices away; they come again at begin().
  void stop();

  cloud::sim::SimAnswer serve(const cloud::sim::SimCall& call, nlohmann::json& state) override;

 private:
  [[nodiscard]] cloud::sim::SimAnswer serve_without_device(const cloud::sim::SimCall& call,
                                                           nlohmann::json& state);
  [[nodiscard]] Status find_devices(nlohmann::json& state);
  [[nodiscard]] Status make_images(nlohmann::json& state);
  [[nodiscard]] Status sweep_images(const nlohmann::json& state);
  void agree(nlohmann::json& state);
  /// `node`: that it is attached to; empty: none.
  Status agree_on(const std::string& id, const nlohmann::json& disk, const std::string& node);

  DiskImages& images_;
  DiskBays& bays_;
  Note note_;
  std::map<std::string, std::int64_t> plugged_;  // GiB, by the ids of disks
  std::map<std::string, std::int64_t> known_;    // disks and snapshots that have images; GiB
};

}  // namespace holdfast::disk
