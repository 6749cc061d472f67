#include "common/csi/driver.h"

namespace holdfast::csi {
namespace {

tl::unexpected<Error> not_implemented() {
  return fail(Code::kUnimplemented, "this driver does not have this call");
}

}  // namespace

Status ControllerDriver::create_volume(const Call&, const v1::CreateVolumeRequest&,
                                       v1::CreateVolumeResponse&) {
  return not_implemented();
}

Status ControllerDriver::delete_volume(const Call&, const v1::DeleteVolumeRequest&,
                                       v1::DeleteVolumeResponse&) {
  return not_implemented();
}

Status ControllerDriver::publish_volume(const Call&, const v1::ControllerPublishVolumeRequest&,
                                        v1::ControllerPublishVolumeResponse&) {
  return not_implemented();
}

Status ControllerDriver::unpublish_volume(const Call&, const v1::ControllerUnpublishVolumeRequest&,
                                          v1::ControllerUnpublishVolumeResponse&) {
  return not_implemented();
}

Status ControllerDriver::validate_capabilities(const Call&, const v1::ValidateVolumeCapabilitiesRequest&,
                                               v1::ValidateVolumeCapabilitiesResponse&) {
  return not_implemented();
}

Status ControllerDriver::list_volumes(const Call&, const v1::ListVolumesRequest&, v1::ListVolumesResponse&) {
  return not_implemented();
}

Status ControllerDriver::list_volume_health(const Call&, const v1::ControllerListVolumeHealthRequest&,
                                            v1::ControllerListVolumeHealthResponse&) {
  return not_implemented();
}

Status ControllerDriver::volume_health(const Call&, const v1::ControllerGetVolumeHealthRequest&,
                                       v1::ControllerGetVolumeHealthResponse&) {
  return not_implemented();
}

Status ControllerDriver::capacity(const Call&, const v1::GetCapacityRequest&, v1::GetCapacityResponse&) {
  return not_implemented();
}

Status ControllerDriver::create_snapshot(const Call&, const v1::CreateSnapshotRequest&,
                                         v1::CreateSnapshotResponse&) {
  return not_implemented();
}

Status ControllerDriver::delete_snapshot(const Call&, const v1::DeleteSnapshotRequest&,
                                         v1::DeleteSnapshotResponse&) {
  return not_implemented();
}

Status ControllerDriver::list_snapshots(const Call&, const v1::ListSnapshotsRequest&,
                                        v1::ListSnapshotsResponse&) {
  return not_implemented();
}

Status ControllerDriver::snapshot(const Call&, const v1::GetSnapshotRequest&, v1::GetSnapshotResponse&) {
  return not_implemented();
}

Status ControllerDriver::expand_volume(const Call&, const v1::ControllerExpandVolumeRequest&,
                                       v1::ControllerExpandVolumeResponse&) {
  return not_implemented();
}

Status ControllerDriver::volume(const Call&, const v1::ControllerGetVolumeRequest&,
                                v1::ControllerGetVolumeResponse&) {
  return not_implemented();
}

Status ControllerDriver::modify_volume(const Call&, const v1::ControllerModifyVolumeRequest&,
                                       v1::ControllerModifyVolumeResponse&) {
  return not_implemented();
}

Status NodeDriver::stage_volume(const Call&, const v1::NodeStageVolumeRequest&,
                                v1::NodeStageVolumeResponse&) {
  return not_implemented();
}

Status NodeDriver::unstage_volume(const Call&, const v1::NodeUnstageVolumeRequest&,
                                  v1::NodeUnstageVolumeResponse&) {
  return not_implemented();
}

Status NodeDriver::publish_volume(const Call&, const v1::NodePublishVolumeRequest&,
                                  v1::NodePublishVolumeResponse&) {
  return not_implemented();
}

Status NodeDriver::unpublish_volume(const Call&, const v1::NodeUnpublishVolumeRequest&,
                                    v1::NodeUnpublishVolumeResponse&) {
  return not_implemented();
}

Status NodeDriver::volume_stats(const Call&, const v1::NodeGetVolumeStatsRequest&,
                                v1::NodeGetVolumeStatsResponse&) {
  return not_implemented();
}

Status NodeDriver::volume_health(const Call&, const v1::NodeGetVolumeHealthRequest&,
                                 v1::NodeGetVolumeHealthResponse&) {
  return not_implemented();
}

Status NodeDriver::storage_health(const Call&, const v1::NodeGetStorageHealthRequest&,
                                  v1::NodeGetStorageHealthResponse&) {
  return not_implemented();
}

Status NodeDriver::expand_volume(const Call&, const v1::NodeExpandVolumeRequest&,
                                 v1::NodeExpandVolumeResponse&) {
  return not_implemented();
}

}  // namespace holdfast::csi
