#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "common/block/encryption.h"
#include "common/block/preparer.h"
#include "common/block/volume_stats.h"
#include "common/csi/driver.h"
#include "common/mount/mounter.h"
#include "common/staging/device_stager.h"
#include "csi-lvm/volumes/local_volumes.h"

namespace holdfast::lvm {

/// What LvmNode stands on. All outlive it.
struct NodeParts {
  LocalVolumes& volumes;
  const CapacityBook& book;
  Lvm& lvm;
  mount::Mounter& mounter;
  block::VolumePreparer& preparer;
  block::DiskEncryption& encryption;
  block::VolumeStats& stats;
  /// block::grow_file_system().
  std::function<Status(const std::string& fs_type, const std::string& mount_path, const std::string& device,
                       std::uint64_t wanted_bytes)>
      grow;
  /// mount::give_to_group().
  std::function<Status(const std::string& folder, gid_t group, const std::function<bool()>& cancelled)>
      give_to_group;
  /// Below kubelet's folder: where volumes are staged that pods' own definitions ask for.
  std::string inline_folder;
};

/// The node's side of csi-lvm. Needs no API server: what it has to know is in LVM's tags and in the kernel's
/// mount table, so that no record of its own can disagree with them.
///
/// Staging and publishing are DeviceStager's. Before it a volume is found and activated, and an encrypted one
/// opened: then all is done on its clear device, which unstage closes. The device of a volume stays active.
///
/// A volume that a pod's own definition asks for is made, staged and published by its publish, and ends with
/// its unpublish; until then it is told by a tag, so that one that was cut off is finished by the same call
/// again.
class LvmNode final : public csi::NodeDriver {
 public:
  LvmNode(NodeParts parts, std::string topology_key, std::string node);

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
  /// Answers from what was seen last; only the first time of a volume waits, kFirstLook at most.
  Status volume_stats(const csi::Call& call, const csi::v1::NodeGetVolumeStatsRequest& request,
                      csi::v1::NodeGetVolumeStatsResponse& response) override;
  Status volume_health(const csi::Call& call, const csi::v1::NodeGetVolumeHealthRequest& request,
                       csi::v1::NodeGetVolumeHealthResponse& response) override;
  Status expand_volume(const csi::Call& call, const csi::v1::NodeExpandVolumeRequest& request,
                       csi::v1::NodeExpandVolumeResponse& response) override;

 private:
  /// What is remembered of a volume that was found.
  struct Known {
    VolumeName name;
    std::string device;  ///< used_device()
    bool files_only = false;
    bool unused = false;  ///< by its record nobody was given it
  };

  /// As LVM tells it now. Errors: those of LocalVolumes::locate(); kNotFound for a snapshot.
  Result<LocalVolume> find(const csi::Call& call, const std::string& id);
  /// Of one that was found before as it was then: LVM is not asked.
  Result<Known> known(const csi::Call& call, const std::string& id);
  void forget(const std::string& id);
  /// Whether what is published raw at the target is another volume's device.
  bool is_other_device(const csi::Call& call, const csi::v1::NodeUnpublishVolumeRequest& request);

  static Known known_of(const LocalVolume& volume);
  Status stage_files(const csi::Call& call, const csi::v1::NodeStageVolumeRequest& request,
                     const LocalVolume& volume);
  Status stage_raw(const csi::Call& call, const csi::v1::NodeStageVolumeRequest& request,
                   const LocalVolume& volume);
  /// From here on nobody can tell what is on it: it is never formatted without being asked for that, and a
  /// cluster's controller must not take it for unused.
  Status begin_raw_use(const csi::Call& call, const LocalVolume& volume);
  /// Where kubelet has the volume staged besides `target`; nowhere while a pod has it.
  Result<std::vector<std::string>> other_stagings(const std::string& target, const std::string& device);
  /// The clear device of a volume whose staging has failed, unless somebody has it.
  void close_unused(const LocalVolume& volume, const csi::Call& call);
  Status close(const std::string& device, const csi::Call& call);
  Status publish_staged(const csi::Call& call, const csi::v1::NodePublishVolumeRequest& request);
  Status publish_inline(const csi::Call& call, const csi::v1::NodePublishVolumeRequest& request);
  Status end_inline(const csi::Call& call, const std::string& id);
  [[nodiscard]] std::string inline_path(const std::string& id) const;
  /// What LVM's last report tells to be wrong.
  [[nodiscard]] staging::Ailments told_by_lvm(const VolumeName& name) const;

  NodeParts parts_;
  staging::DeviceStager stager_;
  std::string topology_key_;
  std::string node_;
  std::mutex mutex_;                    // guards known_
  std::map<std::string, Known> known_;  // volumes that were found, by id
};

}  // namespace holdfast::lvm
