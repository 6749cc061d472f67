#include "common/csi/methods.h"

#include <algorithm>
#include <array>
#include <exception>

namespace holdfast::csi {
namespace {

constexpr std::string_view kRequest = "Request";

constexpr std::array kMethods{
    Method{"GetPluginInfo", "", Holds::kNothing, true},
    Method{"GetPluginCapabilities", "", Holds::kNothing, true},
    Method{"Probe", "", Holds::kNothing, true},
    Method{"CreateVolume", "name", Holds::kVolume, false, true},
    Method{"DeleteVolume", "volume_id", Holds::kVolume},
    Method{"ControllerPublishVolume", "volume_id", Holds::kVolume, false, true},
    Method{"ControllerUnpublishVolume", "volume_id", Holds::kVolume},
    Method{"ValidateVolumeCapabilities", "volume_id"},
    Method{"ListVolumes", "", Holds::kNothing, true},
    Method{"ControllerListVolumeHealth", "", Holds::kNothing, true},
    Method{"ControllerGetVolumeHealth", "volume_id", Holds::kNothing, true},
    Method{"GetCapacity", "", Holds::kNothing, true},
    Method{"ControllerGetCapabilities", "", Holds::kNothing, true},
    Method{"CreateSnapshot", "name", Holds::kSnapshot, false, true},
    Method{"DeleteSnapshot", "snapshot_id", Holds::kSnapshot},
    Method{"ListSnapshots", "", Holds::kNothing, true},
    Method{"GetSnapshot", "snapshot_id", Holds::kNothing, true},
    Method{"ControllerExpandVolume", "volume_id", Holds::kVolume},
    Method{"ControllerGetVolume", "volume_id", Holds::kNothing, true},
    Method{"ControllerModifyVolume", "volume_id", Holds::kVolume},
    Method{"NodeStageVolume", "volume_id", Holds::kVolume},
    Method{"NodeUnstageVolume", "volume_id", Holds::kVolume},
    Method{"NodePublishVolume", "volume_id", Holds::kVolume},
    Method{"NodeUnpublishVolume", "volume_id", Holds::kVolume},
    Method{"NodeGetVolumeStats", "volume_id", Holds::kNothing, true},
    Method{"NodeGetVolumeHealth", "volume_id", Holds::kNothing, true},
    Method{"NodeGetStorageHealth", "", Holds::kNothing, true},
    Method{"NodeExpandVolume", "volume_id", Holds::kVolume},
    Method{"NodeGetCapabilities", "", Holds::kNothing, true},
    Method{"NodeGetInfo", "", Holds::kNothing, true},
    Method{"GroupControllerGetCapabilities", "", Holds::kNothing, true},
    Method{"CreateVolumeGroupSnapshot", "name", Holds::kSnapshot, false, true},
    Method{"DeleteVolumeGroupSnapshot", "group_snapshot_id", Holds::kSnapshot},
    Method{"GetVolumeGroupSnapshot", "group_snapshot_id", Holds::kNothing, true},
    Method{"GetMetadataAllocated", "snapshot_id"},
    Method{"GetMetadataDelta", "target_snapshot_id"},
};

}  // namespace

std::span<const Method> methods() { return kMethods; }

const Method& method_of_request(std::string_view request_name) {
  const auto found = std::ranges::find_if(kMethods, [&](const Method& method) {
    return request_name.size() == method.name.size() + kRequest.size() &&
           request_name.starts_with(method.name) && request_name.ends_with(kRequest);
  });
  if (found == kMethods.end()) std::terminate();
  return *found;
}

}  // namespace holdfast::csi
