#pragma once

#include <chrono>

#include "common/base/result.h"

// The messages that a driver's calls take and fill: common/csi/proto/csi.pb.h, which sources include.
namespace csi::v1 {
class ControllerExpandVolumeRequest;
class ControllerExpandVolumeResponse;
class ControllerGetCapabilitiesRequest;
class ControllerGetCapabilitiesResponse;
class ControllerGetVolumeHealthRequest;
class ControllerGetVolumeHealthResponse;
class ControllerGetVolumeRequest;
class ControllerGetVolumeResponse;
class ControllerListVolumeHealthRequest;
class ControllerListVolumeHealthResponse;
class ControllerModifyVolumeRequest;
class ControllerModifyVolumeResponse;
class ControllerPublishVolumeRequest;
class ControllerPublishVolumeResponse;
class ControllerUnpublishVolumeRequest;
class ControllerUnpublishVolumeResponse;
class CreateSnapshotRequest;
class CreateSnapshotResponse;
class CreateVolumeRequest;
class CreateVolumeResponse;
class DeleteSnapshotRequest;
class DeleteSnapshotResponse;
class DeleteVolumeRequest;
class DeleteVolumeResponse;
class GetCapacityRequest;
class GetCapacityResponse;
class GetSnapshotRequest;
class GetSnapshotResponse;
class ListSnapshotsRequest;
class ListSnapshotsResponse;
class ListVolumesRequest;
class ListVolumesResponse;
class NodeExpandVolumeRequest;
class NodeExpandVolumeResponse;
class NodeGetCapabilitiesRequest;
class NodeGetCapabilitiesResponse;
class NodeGetInfoRequest;
class NodeGetInfoResponse;
class NodeGetStorageHealthRequest;
class NodeGetStorageHealthResponse;
class NodeGetVolumeHealthRequest;
class NodeGetVolumeHealthResponse;
class NodeGetVolumeStatsRequest;
class NodeGetVolumeStatsResponse;
class NodePublishVolumeRequest;
class NodePublishVolumeResponse;
class NodeStageVolumeRequest;
class NodeStageVolumeResponse;
class NodeUnpublishVolumeRequest;
class NodeUnpublishVolumeResponse;
class NodeUnstageVolumeRequest;
class NodeUnstageVolumeResponse;
class ValidateVolumeCapabilitiesRequest;
class ValidateVolumeCapabilitiesResponse;
}  // namespace csi::v1

namespace holdfast::csi {

namespace v1 = ::csi::v1;

/// The caller's end of one call.
class Call {
 public:
  Call() = default;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  virtual ~Call() = default;

  /// The caller has gone away, or waits no longer.
  [[nodiscard]] virtual bool cancelled() const = 0;
  /// Until the caller waits no longer, rounded up on the wire (30 s came as 30.1 s); nanoseconds::max() when
  /// it waits for ever, 0 when it no longer does.
  [[nodiscard]] virtual std::chrono::nanoseconds time_left() const = 0;
};

/// What the controller's side of a driver does. Calls come on many threads at a time and may block. A request
/// has been checked (validation.h), its volume or snapshot is held (methods.h), and an error becomes the
/// call's status with its own code and message (answers.h says which code is right when something may have
/// been left behind). What is not overridden answers UNIMPLEMENTED.
class ControllerDriver {
 public:
  ControllerDriver() = default;
  ControllerDriver(const ControllerDriver&) = delete;
  ControllerDriver& operator=(const ControllerDriver&) = delete;
  virtual ~ControllerDriver() = default;

  virtual Status capabilities(const Call&, const v1::ControllerGetCapabilitiesRequest&,
                              v1::ControllerGetCapabilitiesResponse&) = 0;
  virtual Status create_volume(const Call&, const v1::CreateVolumeRequest&, v1::CreateVolumeResponse&);
  virtual Status delete_volume(const Call&, const v1::DeleteVolumeRequest&, v1::DeleteVolumeResponse&);
  virtual Status publish_volume(const Call&, const v1::ControllerPublishVolumeRequest&,
                                v1::ControllerPublishVolumeResponse&);
  virtual Status unpublish_volume(const Call&, const v1::ControllerUnpublishVolumeRequest&,
                                  v1::ControllerUnpublishVolumeResponse&);
  virtual Status validate_capabilities(const Call&, const v1::ValidateVolumeCapabilitiesRequest&,
                                       v1::ValidateVolumeCapabilitiesResponse&);
  virtual Status list_volumes(const Call&, const v1::ListVolumesRequest&, v1::ListVolumesResponse&);
  virtual Status list_volume_health(const Call&, const v1::ControllerListVolumeHealthRequest&,
                                    v1::ControllerListVolumeHealthResponse&);
  virtual Status volume_health(const Call&, const v1::ControllerGetVolumeHealthRequest&,
                               v1::ControllerGetVolumeHealthResponse&);
  virtual Status capacity(const Call&, const v1::GetCapacityRequest&, v1::GetCapacityResponse&);
  virtual Status create_snapshot(const Call&, const v1::CreateSnapshotRequest&, v1::CreateSnapshotResponse&);
  virtual Status delete_snapshot(const Call&, const v1::DeleteSnapshotRequest&, v1::DeleteSnapshotResponse&);
  virtual Status list_snapshots(const Call&, const v1::ListSnapshotsRequest&, v1::ListSnapshotsResponse&);
  virtual Status snapshot(const Call&, const v1::GetSnapshotRequest&, v1::GetSnapshotResponse&);
  virtual Status expand_volume(const Call&, const v1::ControllerExpandVolumeRequest&,
                               v1::ControllerExpandVolumeResponse&);
  virtual Status volume(const Call&, const v1::ControllerGetVolumeRequest&, v1::ControllerGetVolumeResponse&);
  virtual Status modify_volume(const Call&, const v1::ControllerModifyVolumeRequest&,
                               v1::ControllerModifyVolumeResponse&);
};

/// What the node's side of a driver does; all that is said of ControllerDriver holds.
class NodeDriver {
 public:
  NodeDriver() = default;
  NodeDriver(const NodeDriver&) = delete;
  NodeDriver& operator=(const NodeDriver&) = delete;
  virtual ~NodeDriver() = default;

  virtual Status capabilities(const Call&, const v1::NodeGetCapabilitiesRequest&,
                              v1::NodeGetCapabilitiesResponse&) = 0;
  virtual Status info(const Call&, const v1::NodeGetInfoRequest&, v1::NodeGetInfoResponse&) = 0;
  virtual Status stage_volume(const Call&, const v1::NodeStageVolumeRequest&, v1::NodeStageVolumeResponse&);
  virtual Status unstage_volume(const Call&, const v1::NodeUnstageVolumeRequest&,
                                v1::NodeUnstageVolumeResponse&);
  virtual Status publish_volume(const Call&, const v1::NodePublishVolumeRequest&,
                                v1::NodePublishVolumeResponse&);
  virtual Status unpublish_volume(const Call&, const v1::NodeUnpublishVolumeRequest&,
                                  v1::NodeUnpublishVolumeResponse&);
  virtual Status volume_stats(const Call&, const v1::NodeGetVolumeStatsRequest&,
                              v1::NodeGetVolumeStatsResponse&);
  virtual Status volume_health(const Call&, const v1::NodeGetVolumeHealthRequest&,
                               v1::NodeGetVolumeHealthResponse&);
  virtual Status storage_health(const Call&, const v1::NodeGetStorageHealthRequest&,
                                v1::NodeGetStorageHealthResponse&);
  virtual Status expand_volume(const Call&, const v1::NodeExpandVolumeRequest&,
                               v1::NodeExpandVolumeResponse&);
};

}  // namespace holdfast::csi
