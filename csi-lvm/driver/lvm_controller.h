#pragma once

#include <string>
#include <vector>

#include "common/csi/driver.h"
#include "csi-lvm/volumes/local_volumes.h"

namespace holdfast::lvm {

/// The controller's side of csi-lvm where it is also the node (--mode all): volumes are made here and now.
/// Needs no Kubernetes.
class LvmController final : public csi::ControllerDriver {
 public:
  /// `volumes` and `book` outlive it. `topology_key`=`node` is where all its volumes are.
  LvmController(LocalVolumes& volumes, const CapacityBook& book, std::string topology_key, std::string node);

  Status capabilities(const csi::Call& call, const csi::v1::ControllerGetCapabilitiesRequest& request,
                      csi::v1::ControllerGetCapabilitiesResponse& response) override;
  Status create_volume(const csi::Call& call, const csi::v1::CreateVolumeRequest& request,
                       csi::v1::CreateVolumeResponse& response) override;
  Status delete_volume(const csi::Call& call, const csi::v1::DeleteVolumeRequest& request,
                       csi::v1::DeleteVolumeResponse& response) override;
  Status validate_capabilities(const csi::Call& call,
                               const csi::v1::ValidateVolumeCapabilitiesRequest& request,
                               csi::v1::ValidateVolumeCapabilitiesResponse& response) override;
  Status list_volumes(const csi::Call& call, const csi::v1::ListVolumesRequest& request,
                      csi::v1::ListVolumesResponse& response) override;
  /// These two are CSI 1.13's. They are served and not told of: a capability that 1.12 does not know is an
  /// error to its tests.
  Status list_volume_health(const csi::Call& call, const csi::v1::ControllerListVolumeHealthRequest& request,
                            csi::v1::ControllerListVolumeHealthResponse& response) override;
  Status volume_health(const csi::Call& call, const csi::v1::ControllerGetVolumeHealthRequest& request,
                       csi::v1::ControllerGetVolumeHealthResponse& response) override;
  Status capacity(const csi::Call& call, const csi::v1::GetCapacityRequest& request,
                  csi::v1::GetCapacityResponse& response) override;
  Status create_snapshot(const csi::Call& call, const csi::v1::CreateSnapshotRequest& request,
                         csi::v1::CreateSnapshotResponse& response) override;
  Status delete_snapshot(const csi::Call& call, const csi::v1::DeleteSnapshotRequest& request,
                         csi::v1::DeleteSnapshotResponse& response) override;
  Status list_snapshots(const csi::Call& call, const csi::v1::ListSnapshotsRequest& request,
                        csi::v1::ListSnapshotsResponse& response) override;
  Status expand_volume(const csi::Call& call, const csi::v1::ControllerExpandVolumeRequest& request,
                       csi::v1::ControllerExpandVolumeResponse& response) override;
  Status volume(const csi::Call& call, const csi::v1::ControllerGetVolumeRequest& request,
                csi::v1::ControllerGetVolumeResponse& response) override;

 private:
  /// Volumes, or snapshots, of list().
  Result<std::vector<LocalVolume>> list(const csi::Call& call, bool snapshots);
  /// Errors: kNotFound, for a snapshot too.
  Result<LocalVolume> find_volume(const csi::Call& call, const std::string& id);

  LocalVolumes& volumes_;
  const CapacityBook& book_;
  std::string topology_key_;
  std::string node_;
};

}  // namespace holdfast::lvm
