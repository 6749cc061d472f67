#include <array>

#include "common/csi/wire/validation.h"

namespace holdfast::csi {
namespace {

constexpr bool kRequired = true;
constexpr bool kOptional = false;
constexpr std::size_t kNodeIdBytes = 256;  // NodeGetInfoResponse.node_id overrides the general limit

constexpr FieldRule text(std::string_view message, std::string_view field, bool required, Text kind) {
  const bool path = kind == Text::kPath || kind == Text::kVolumePath;
  return {message, field, required, kind, path ? kMaxPathBytes : kMaxTextBytes};
}
constexpr FieldRule must(std::string_view message, std::string_view field) {
  return {message, field, kRequired};
}
constexpr FieldRule node_id(std::string_view message, bool required) {
  return {message, "node_id", required, Text::kId, kNodeIdBytes};
}

constexpr std::array kRules{
    text("CreateVolumeRequest", "name", kRequired, Text::kName),
    must("CreateVolumeRequest", "volume_capabilities"),
    text("DeleteVolumeRequest", "volume_id", kRequired, Text::kId),
    text("ControllerPublishVolumeRequest", "volume_id", kRequired, Text::kId),
    node_id("ControllerPublishVolumeRequest", kRequired),
    must("ControllerPublishVolumeRequest", "volume_capability"),
    text("ControllerUnpublishVolumeRequest", "volume_id", kRequired, Text::kId),
    node_id("ControllerUnpublishVolumeRequest", kOptional),
    text("ValidateVolumeCapabilitiesRequest", "volume_id", kRequired, Text::kId),
    must("ValidateVolumeCapabilitiesRequest", "volume_capabilities"),
    text("ControllerGetVolumeRequest", "volume_id", kRequired, Text::kId),
    text("ControllerGetVolumeHealthRequest", "volume_id", kRequired, Text::kId),
    text("ControllerModifyVolumeRequest", "volume_id", kRequired, Text::kId),
    must("ControllerModifyVolumeRequest", "mutable_parameters"),
    text("ControllerExpandVolumeRequest", "volume_id", kRequired, Text::kId),
    must("ControllerExpandVolumeRequest", "capacity_range"),
    text("CreateSnapshotRequest", "source_volume_id", kRequired, Text::kId),
    text("CreateSnapshotRequest", "name", kRequired, Text::kName),
    text("DeleteSnapshotRequest", "snapshot_id", kRequired, Text::kId),
    text("GetSnapshotRequest", "snapshot_id", kRequired, Text::kId),
    text("ListSnapshotsRequest", "source_volume_id", kOptional, Text::kId),
    text("ListSnapshotsRequest", "snapshot_id", kOptional, Text::kId),
    text("VolumeContentSource.SnapshotSource", "snapshot_id", kRequired, Text::kId),
    text("VolumeContentSource.VolumeSource", "volume_id", kRequired, Text::kId),
    text("NodeStageVolumeRequest", "volume_id", kRequired, Text::kId),
    text("NodeStageVolumeRequest", "staging_target_path", kRequired, Text::kPath),
    must("NodeStageVolumeRequest", "volume_capability"),
    text("NodeUnstageVolumeRequest", "volume_id", kRequired, Text::kId),
    text("NodeUnstageVolumeRequest", "staging_target_path", kRequired, Text::kPath),
    text("NodePublishVolumeRequest", "volume_id", kRequired, Text::kId),
    text("NodePublishVolumeRequest", "staging_target_path", kOptional, Text::kPath),
    text("NodePublishVolumeRequest", "target_path", kRequired, Text::kPath),
    must("NodePublishVolumeRequest", "volume_capability"),
    text("NodeUnpublishVolumeRequest", "volume_id", kRequired, Text::kId),
    text("NodeUnpublishVolumeRequest", "target_path", kRequired, Text::kPath),
    text("NodeGetVolumeStatsRequest", "volume_id", kRequired, Text::kId),
    text("NodeGetVolumeStatsRequest", "volume_path", kRequired, Text::kVolumePath),
    text("NodeGetVolumeStatsRequest", "staging_target_path", kOptional, Text::kPath),
    text("NodeGetVolumeHealthRequest", "volume_id", kRequired, Text::kId),
    text("NodeGetVolumeHealthRequest", "volume_publish_path", kOptional, Text::kVolumePath),
    text("NodeGetVolumeHealthRequest", "staging_target_path", kOptional, Text::kPath),
    text("NodeExpandVolumeRequest", "volume_id", kRequired, Text::kId),
    text("NodeExpandVolumeRequest", "volume_path", kRequired, Text::kVolumePath),
    text("NodeExpandVolumeRequest", "staging_target_path", kOptional, Text::kPath),
    text("CreateVolumeGroupSnapshotRequest", "name", kRequired, Text::kName),
    text("CreateVolumeGroupSnapshotRequest", "source_volume_ids", kRequired, Text::kId),
    text("DeleteVolumeGroupSnapshotRequest", "group_snapshot_id", kRequired, Text::kId),
    text("DeleteVolumeGroupSnapshotRequest", "snapshot_ids", kRequired, Text::kId),
    text("GetVolumeGroupSnapshotRequest", "group_snapshot_id", kRequired, Text::kId),
    text("GetVolumeGroupSnapshotRequest", "snapshot_ids", kRequired, Text::kId),
    text("GetMetadataAllocatedRequest", "snapshot_id", kRequired, Text::kId),
    text("GetMetadataDeltaRequest", "base_snapshot_id", kRequired, Text::kId),
    text("GetMetadataDeltaRequest", "target_snapshot_id", kRequired, Text::kId),
    must("VolumeCapability", "access_mode"),
    text("VolumeCapability.MountVolume", "fs_type", kOptional, Text::kId),
    text("VolumeCapability.MountVolume", "volume_mount_group", kOptional, Text::kId),
    FieldRule{"VolumeCapability.MountVolume", "mount_flags", kOptional, Text::kId, kMaxMapBytes},
    must("VolumeCapability.AccessMode", "mode"),
};

}  // namespace

std::span<const FieldRule> field_rules() { return kRules; }

}  // namespace holdfast::csi
