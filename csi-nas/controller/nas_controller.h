#pragma once

#include "common/csi/driver.h"
#include "csi-nas/controller/nas_volumes.h"

namespace holdfast::nas {

/// The controller's side of csi-nas. Needs no Kubernetes but what NasVolumes stands on.
class NasController final : public csi::ControllerDriver {
 public:
  /// `volumes` outlives it.
  explicit NasController(NasVolumes& volumes) : volumes_(volumes) {}

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
  NasVolumes& volumes_;
};

}  // namespace holdfast::nas
