#pragma once

#include <functional>
#include <string>
#include <utility>

#include "common/csi/driver.h"
#include "csi-disk/controller/disk_volumes.h"

namespace holdfast::disk {

/// What people are to know that is no error of a call.
struct DiskNote {
  std::string event;       ///< one word, "ConflictingZone"
  std::string volume;      ///< its name
  std::string words;       ///< with the cure
  std::string claim;       ///< that the volume is made for, as the provisioner tells; else empty
  std::string name_space;  ///< of the claim
};

/// The controller's side of csi-disk. Needs no Kubernetes.
class DiskController final : public csi::ControllerDriver {
 public:
  using Note = std::function<void(const DiskNote& note)>;

  /// `volumes` outlives it. `note` is called on any thread; null: nobody is told.
  explicit DiskController(DiskVolumes& volumes, Note note = nullptr)
      : volumes_(volumes), note_(std::move(note)) {}

  Status capabilities(const csi::Call& call, const csi::v1::ControllerGetCapabilitiesRequest& request,
                      csi::v1::ControllerGetCapabilitiesResponse& response) override;
  Status create_volume(const csi::Call& call, const csi::v1::CreateVolumeRequest& request,
                       csi::v1::CreateVolumeResponse& response) override;
  Status delete_volume(const csi::Call& call, const csi::v1::DeleteVolumeRequest& request,
                       csi::v1::DeleteVolumeResponse& response) override;
  Status publish_volume(const csi::Call& call, const csi::v1::ControllerPublishVolumeRequest& request,
                        csi::v1::ControllerPublishVolumeResponse& response) override;
  Status unpublish_volume(const csi::Call& call, const csi::v1::ControllerUnpublishVolumeRequest& request,
                          csi::v1::ControllerUnpublishVolumeResponse& response) override;
  Status validate_capabilities(const csi::Call& call,
                               const csi::v1::ValidateVolumeCapabilitiesRequest& request,
                               csi::v1::ValidateVolumeCapabilitiesResponse& response) override;
  Status list_volumes(const csi::Call& call, const csi::v1::ListVolumesRequest& request,
                      csi::v1::ListVolumesResponse& response) override;
  /// These two are CSI 1.13's, and snapshot() is 1.12's. They are served and not told of: a capability that
  /// an older specification does not know is an error to its tests.
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
  Status snapshot(const csi::Call& call, const csi::v1::GetSnapshotRequest& request,
                  csi::v1::GetSnapshotResponse& response) override;
  Status expand_volume(const csi::Call& call, const csi::v1::ControllerExpandVolumeRequest& request,
                       csi::v1::ControllerExpandVolumeResponse& response) override;
  Status volume(const csi::Call& call, const csi::v1::ControllerGetVolumeRequest& request,
                csi::v1::ControllerGetVolumeResponse& response) override;
  Status modify_volume(const csi::Call& call, const csi::v1::ControllerModifyVolumeRequest& request,
                       csi::v1::ControllerModifyVolumeResponse& response) override;

 private:
  DiskVolumes& volumes_;
  const Note note_;
};

}  // namespace holdfast::disk
