// What LvmNode tells of volumes that are in use, and their growing.
#include <optional>

#include "common/csi/proto/csi.pb.h"
#include "csi-lvm/driver/csi_requests.h"
#include "csi-lvm/driver/lvm_node.h"
#include "csi-lvm/driver/node_requests.h"

namespace holdfast::lvm {

staging::Ailments LvmNode::told_by_lvm(const VolumeName& name) const {
  const auto group = parts_.book.group(name.group);
  const LogicalVolume* volume = group ? group->volume(name.volume) : nullptr;
  if (volume == nullptr) return {};
  return ailments_of(*group, *volume, parts_.book.limits());
}

Status LvmNode::volume_stats(const csi::Call& call, const csi::v1::NodeGetVolumeStatsRequest& request,
                             csi::v1::NodeGetVolumeStatsResponse& response) {
  HOLDFAST_TRY(const Known volume, known(call, request.volume_id()));
  return stager_.tell_stats(request, volume.device, told_by_lvm(volume.name), response);
}

Status LvmNode::volume_health(const csi::Call& call, const csi::v1::NodeGetVolumeHealthRequest& request,
                              csi::v1::NodeGetVolumeHealthResponse& response) {
  HOLDFAST_TRY(const Known volume, known(call, request.volume_id()));
  return stager_.tell_health(request, volume.device, told_by_lvm(volume.name), response);
}

Status LvmNode::expand_volume(const csi::Call& call, const csi::v1::NodeExpandVolumeRequest& request,
                              csi::v1::NodeExpandVolumeResponse& response) {
  HOLDFAST_TRY(const LocalVolume volume, find(call, request.volume_id()));
  HOLDFAST_TRY(const std::optional<mount::MountEntry> mounted,
               stager_.mount_to_grow(request, used_device(volume)));
  const auto size = static_cast<std::int64_t>(volume.size_bytes);
  const std::int64_t wanted = request.capacity_range().required_bytes();
  if (wanted > size) {
    return fail(Code::kUnavailable, device_path(volume.name) + " has " + std::to_string(size) +
                                        " bytes, not " + std::to_string(wanted) +
                                        ": the controller makes it larger first");
  }
  response.set_capacity_bytes(size);
  if (volume.encrypted) {
    HOLDFAST_CHECK(parts_.encryption.grow(mapping_of(volume.name), patience_of(call)));
  }
  // One that is mounted read-only grows when it is next staged to be written to.
  if (!mounted || mounted->read_only()) return {};
  return parts_.grow(mounted->type, mounted->target, used_device(volume), least_bytes(volume));
}

}  // namespace holdfast::lvm
