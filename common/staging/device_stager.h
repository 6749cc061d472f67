#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/block/preparer.h"
#include "common/block/volume_stats.h"
#include "common/csi/driver.h"
#include "common/mount/mounter.h"
#include "common/staging/ailments.h"
#include "common/staging/stage_requests.h"

namespace holdfast::staging {

/// A volume as its driver found it on this node.
struct DeviceVolume {
  std::string id;
  std::string device;             ///< that is mounted or bound: "/dev/vg/pvc-1", "/dev/vdb"
  std::uint64_t least_bytes = 0;  ///< that the device must show before what is on it is grown; 0: any
  MountHints hints = {};
};

/// What DeviceStager stands on. All outlive it.
struct StagerParts {
  mount::Mounter& mounter;
  block::VolumePreparer& preparer;
  block::VolumeStats& stats;
  /// block::grow_file_system().
  std::function<Status(const std::string& fs_type, const std::string& mount_path, const std::string& device,
                       std::uint64_t wanted_bytes)>
      grow;
  /// mount::give_to_group().
  std::function<Status(const std::string& folder, gid_t group, const std::function<bool()>& cancelled)>
      give_to_group;
};

/// Of a device's mounts those below the mounter's folder. Where that folder, or one that it is in, is bound
/// to another place, each has a second name there, which comes and goes with it. Errors: those of
/// Mounter::mounts_of().
Result<mount::Mounts> mounts_below(mount::Mounter& mounter, const std::string& device);

/// The mounts by which volumes below the mounter's folder have a device; none: nobody has it, as far as this
/// process sees. Binds of a part of what is on it tell nothing: kubelet makes such of the host's folders,
/// too. Errors: kFailedPrecondition when others alone have it mounted, naming where; those of
/// Mounter::mounts_of().
Result<mount::Mounts> own_mounts(mount::Mounter& mounter, const std::string& device);

/// What drivers of block devices do alike on a node, once they know which device a volume is.
///
///     stage       formats it if it may, mounts it, grows what is on it
///     publish     binds it where a pod wants it; a raw volume's device without staging
///     unstage     succeeds when nobody has the device any more
///
/// Where a volume is in use is read from the mount table at every call, so that no record can disagree with
/// it. A second publish is judged by what that tells: file system or raw, read-only or not. A raw volume that
/// is published read-only has the same node as the others; kubelet denies its containers writing by their
/// devices' cgroup.
///
/// With VOLUME_MOUNT_GROUP kubelet leaves it to us to give a volume's content to the pod's group, which ends
/// as with kubelet. May be used from any thread; one volume at a time needs the caller's hold.
class DeviceStager {
 public:
  explicit DeviceStager(StagerParts parts);

  /// Of a volume with a file system. `wanted` and `record` as VolumePreparer::prepare() takes them; neither
  /// is looked at when the device is mounted already, here or elsewhere below kubelet's folder: a pod uses
  /// it, so that what is known of it becomes `maybe` where that would still have it formatted. When the first
  /// mount of what was formatted in this very call is refused, it may be formatted again: nobody has seen it,
  /// and another mkfs may make what can be mounted. Errors: kAlreadyExists when it is mounted as something
  /// else; kFailedPrecondition while it is used
  /// raw, or by the host; those of prepare(), Mounter::stage() and grow.
  Status stage(const csi::Call& call, const csi::v1::NodeStageVolumeRequest& request,
               const DeviceVolume& volume, const block::PrepareRequest& wanted,
               block::ProvenanceRecord& record);
  /// Errors: kFailedPrecondition while it is mounted elsewhere below kubelet's folder, before anything is
  /// unmounted, or anywhere else when it has been, naming where, or somebody else has the device.
  Status unstage(const std::string& target, const std::string& device);

  /// Errors: kFailedPrecondition when it is not staged at the request's path, and for a raw volume while it
  /// is mounted; those of csi::second_publish() and Mounter::publish().
  Status publish(const csi::Call& call, const csi::v1::NodePublishVolumeRequest& request,
                 const std::string& device);

  /// Usage as it was seen last; only the first time of a volume waits, a second at most. `known`: what the
  /// driver itself knows to be wrong. Errors: kNotFound when the volume is not at the request's path;
  /// kUnavailable when it was never seen.
  Status tell_stats(const csi::v1::NodeGetVolumeStatsRequest& request, const std::string& device,
                    Ailments known, csi::v1::NodeGetVolumeStatsResponse& response);
  /// What is wrong with it, as far as was seen; never waits. Errors: those of Mounter::mounts_of().
  Status tell_health(const csi::v1::NodeGetVolumeHealthRequest& request, const std::string& device,
                     Ailments known, csi::v1::NodeGetVolumeHealthResponse& response);

  /// Where a volume is mounted whose device has grown; nullopt: it is used raw. Errors: kNotFound when it is
  /// at neither of the request's paths.
  Result<std::optional<mount::MountEntry>> mount_to_grow(const csi::v1::NodeExpandVolumeRequest& request,
                                                         const std::string& device);

 private:
  Status mount(const csi::v1::NodeStageVolumeRequest& request, const DeviceVolume& volume,
               const std::string& fs_type);
  /// Whether the first mount of a new file system was refused, for good, and nobody has it.
  [[nodiscard]] bool is_refused(const Status& mounted, const std::string& device);
  Status mount_as_used(const csi::v1::NodeStageVolumeRequest& request, const DeviceVolume& volume,
                       const block::PrepareRequest& wanted, const mount::MountEntry& used);
  Status bind(const csi::Call& call, const csi::v1::NodePublishVolumeRequest& request,
              const mount::MountEntry& staged);
  Result<bool> is_broken(const std::string& target);
  [[nodiscard]] Ailments seen(const mount::Mounts& mounts, const block::VolumeSample& sample, Ailments known);

  StagerParts parts_;
};

}  // namespace holdfast::staging
