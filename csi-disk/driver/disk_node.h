#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/block/volume_stats.h"
#include "common/csi/driver.h"
#include "common/csi/profile.h"
#include "common/mount/mounter.h"
#include "common/staging/device_stager.h"
#include "csi-disk/device/device_finder.h"
#include "csi-disk/driver/disk_records.h"
#include "csi-disk/driver/disk_requests.h"
#include "csi-disk/driver/queue_tuning.h"

namespace holdfast::disk {

/// Where a node is, and what it takes.
struct NodePlace {
  std::string node_id;                          ///< as the cloud calls it
  std::map<std::string, std::string> topology;  ///< by key
  std::uint32_t max_volumes = 0;                ///< that volumes can be of; 0: nobody says
};

/// What DiskNode stands on. All outlive it.
struct DiskNodeParts {
  const DeviceFinder& finder;
  DeviceNews& news;
  Clock& clock;
  DiskRecords& records;
  mount::Mounter& mounter;
  block::VolumeStats& stats;
  staging::StagerParts stager;
  /// block::grow_only_partition(), of a disk by kernel name.
  std::function<Status(const std::string& disk, std::chrono::milliseconds deadline)> grow_partition;
  /// block::device_size_bytes().
  std::function<Result<std::uint64_t>(const std::string& device)> size_of;
  /// block::is_in_use().
  std::function<Result<bool>(const std::string& device)> in_use;
  /// Has the kernel ask a disk for its size anew, where it does not by itself (rescan_size()).
  std::function<void(const std::string& disk)> rescan;
  /// apply() of queue_tuning.h.
  std::function<Status(const std::vector<QueueSetting>& settings, const std::string& disk)> tune;
  std::function<Result<NodePlace>()> place;
  std::string boot_id = {};                                             ///< read_boot_id(); empty: not known
  std::chrono::nanoseconds device_patience = std::chrono::seconds(20);  ///< with a disk that does not come
};

/// The node's side of csi-disk. Needs neither an API server nor the cloud: what it has to know is handed to
/// it with the volume, and in its own records.
///
///     stage       waits for the disk, which it knows by its serial number; proves what is on it, and
///                 formats, mounts and grows as DeviceStager does. What the attachment says of the content
///                 counts, unless the record of this disk on this node knows more. "new" is believed once:
///                 should the content be other, the disk is taken for one of which nothing is known.
///                 "formatting" is believed within the first attachment, which still says "new", and while
///                 the kernel has had the disk all the time. Behind a later attachment another node may have
///                 filled it.
///     publish     DeviceStager's
///     unstage     succeeds when nobody has the disk any more: it may be detached
///
/// A volume whose PersistentVolume tells a devicePath has the disk that this led to first, for as long as the
/// record lives, whatever it leads to later. Two volumes are never in use on one disk, nor is one on a disk
/// that the host has in use (check_may_use()).
class DiskNode final : public csi::NodeDriver {
 public:
  DiskNode(DiskNodeParts parts, csi::Profile profile);

  Status capabilities(const csi::Call& call, const csi::v1::NodeGetCapabilitiesRequest& request,
                      csi::v1::NodeGetCapabilitiesResponse& response) override;
  Status info(const csi::Call& call, const csi::v1::NodeGetInfoRequest& request,
              csi::v1::NodeGetInfoResponse& response) override;
  Status stage_volume(const csi::Call& call, const csi::v1::NodeStageVolumeRequest& request,
                      csi::v1::NodeStageVolumeResponse& response) override;
  Status unstage_volume(const csi::Call& call, const csi::v1::NodeUnstageVolumeRequest& request,
                        csi::v1::NodeUnstageVolumeResponse& response) override;
  Status publish_volume(const csi::Call& call, const csi::v1::NodePublishVolumeRequest& request,
                        csi::v1::NodePublishVolumeResponse& response) override;
  Status unpublish_volume(const csi::Call& call, const csi::v1::NodeUnpublishVolumeRequest& request,
                          csi::v1::NodeUnpublishVolumeResponse& response) override;
  Status volume_stats(const csi::Call& call, const csi::v1::NodeGetVolumeStatsRequest& request,
                      csi::v1::NodeGetVolumeStatsResponse& response) override;
  Status volume_health(const csi::Call& call, const csi::v1::NodeGetVolumeHealthRequest& request,
                       csi::v1::NodeGetVolumeHealthResponse& response) override;
  Status expand_volume(const csi::Call& call, const csi::v1::NodeExpandVolumeRequest& request,
                       csi::v1::NodeExpandVolumeResponse& response) override;

  /// Forgets volumes that are not in use, whose disks are no longer attached: the next attachment tells anew
  /// what is known of them. What a devicePath pinned is kept.
  Status forget_detached();

 private:
  /// A volume that was staged, and its disk.
  struct Staged {
    DiskRecord record;
    HeldDisk disk;
    std::string device;  ///< that is mounted or bound
  };

  Result<DiskIdentity> wanted_disk(const DiskHints& hints, const std::optional<DiskRecord>& record);
  Status check_single_owner(const std::string& volume, const HeldDisk& disk);
  Status stage_raw(const HeldDisk& disk, DiskRecord record);
  Status stage_mounted(const csi::Call& call, const csi::v1::NodeStageVolumeRequest& request,
                       const HeldDisk& disk, DiskRecord record);
  Result<std::optional<DiskRecord>> record_of(const std::string& volume);
  /// Errors: kNotFound when it was not staged here; kUnavailable when its disk is gone.
  Result<Staged> staged(const std::string& volume);
  Status check_is_volumes(const mount::MountEntry& entry, const std::string& volume);
  Result<std::string> device_to_leave(const std::string& volume, const std::optional<DiskRecord>& record);
  Status wait_for_size(const Staged& volume, std::uint64_t bytes, const csi::Call& call);

  DiskNodeParts parts_;
  csi::Profile profile_;
  staging::DeviceStager stager_;
};

/// Has a SCSI disk asked for its size anew, as it does not tell by itself that it grew; nothing for others.
/// Source: the kernel's Documentation/ABI/testing/sysfs-block-device, "rescan".
void rescan_size(const std::string& disk, const std::filesystem::path& sys = "/sys");

}  // namespace holdfast::disk
