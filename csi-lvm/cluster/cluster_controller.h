#pragma once

#include <functional>
#include <string>

#include "common/base/event_loop.h"
#include "common/csi/driver.h"
#include "csi-lvm/cluster/cluster_questions.h"
#include "csi-lvm/cluster/cluster_volumes.h"

namespace holdfast::lvm {

/// The controller's side of csi-lvm in a cluster (--mode controller): what is asked for is written as objects
/// that the nodes act on. Calls come on gRPC's threads, and wait there for what is done on the event loop.
///
/// Until the cluster has been read, questions are answered kUnavailable, and calls that change something
/// wait.
class ClusterController final : public csi::ControllerDriver {
 public:
  /// All outlive it, and the loop turns while there are calls.
  struct Context {
    EventLoop& loop;
    ClusterState& state;
    ClusterVolumes& volumes;
  };

  /// `topology_key`: which of a node's topology tells where its volumes are.
  ClusterController(const Context& context, std::string topology_key);

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
  using Begin = std::function<void(ClusterVolumes::Done)>;

  /// Runs `begin` on the loop and waits for what its Done is told.
  Result<ToldVolume> wait_for(const csi::Call& call, Begin begin);
  /// Runs `question` on the loop.
  template <class T>
  Result<T> ask(std::function<Result<T>(const ClusterState&)> question);
  Result<ToldVolume> find(const std::string& volume);

  Context context_;
  std::string topology_key_;
};

}  // namespace holdfast::lvm
