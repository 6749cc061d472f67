#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "csi-disk/sim/disk_bays.h"
#include "csi-disk/sim/disk_images.h"
#include "csi-disk/sim/disk_service.h"

namespace holdfast::disk {

/// A DiskService whose disks have content, and are block devices of DiskBays' machines while they are
/// attached to any machine of the cloud; to several at a time, of one of them. A detach of a device that
/// somebody still uses is refused as OperationConflict: no cloud can pull a disk out of Linux before it lets
/// go.
///
/// The catalogue is what counts. Images are made before it says that a disk is there. It keeps the ids of
/// those that were deleted ("deleted") until their images are removed, which is after that is on disk:
/// nothing else is ever removed. An image that it does not know at the start is set aside, and told; where
/// there is no catalogue at all, and there are images, nothing is served. A disk whose image is not there
/// stays, and can be deleted; it is not attached. Devices are made to agree with the catalogue at each call,
/// and at the start.
class DeviceService final : public DiskService {
 public:
  using Note = std::function<void(const std::string&)>;

  /// All outlive it; `note` gets what went wrong with a device, which is tried again at the next call.
  DeviceService(Clock& clock, DiskShop shop, DiskImages& images, DiskBays& bays, Note note)
      : DiskService(clock, std::move(shop)), images_(images), bays_(bays), note_(std::move(note)) {}

  /// Errors: kFailedPrecondition when the state is empty and there are images; those of DiskImages and
  /// DiskBays.
  Status begin(nlohmann::json& state) override;
  /// Takes all devices away; they come again at begin().
  void stop();

  cloud::sim::SimAnswer serve(const cloud::sim::SimCall& call, nlohmann::json& state) override;
  void kept(nlohmann::json& state) override;

 private:
  [[nodiscard]] cloud::sim::SimAnswer serve_without_device(const cloud::sim::SimCall& call,
                                                           nlohmann::json& state);
  [[nodiscard]] Status find_devices(nlohmann::json& state);
  [[nodiscard]] cloud::sim::SimAnswer serve_change(const cloud::sim::SimCall& call, nlohmann::json& state);
  [[nodiscard]] Status make_images(nlohmann::json& state);
  [[nodiscard]] Result<std::vector<std::filesystem::path>> unknown_images(const nlohmann::json& state) const;
  [[nodiscard]] Status learn_images(const nlohmann::json& state);
  /// `image` is large enough, or told to be lost.
  [[nodiscard]] Status learn_image(const std::string& id, const std::filesystem::path& image,
                                   const nlohmann::json& thing);
  void note_deleted(nlohmann::json& state);
  [[nodiscard]] Status check_lost(nlohmann::json& before, nlohmann::json& after);
  void agree(nlohmann::json& state);
  /// `node`: that it is attached to; empty: none.
  Status agree_on(const std::string& id, const nlohmann::json& disk, const std::string& node);

  DiskImages& images_;
  DiskBays& bays_;
  Note note_;
  std::map<std::string, std::int64_t> plugged_;  // GiB, by the ids of disks
  std::map<std::string, std::int64_t> known_;    // disks and snapshots that there are; GiB
  std::set<std::string> lost_;                   // those of them whose images are not there
};

}  // namespace holdfast::disk
