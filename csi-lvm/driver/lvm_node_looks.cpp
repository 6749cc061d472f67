// What LvmNode tells of volumes that are in use, and their growing.
#include <algorithm>
#include <chrono>
#include <utility>

#include "common/csi/proto/csi.pb.h"
#include "csi-lvm/driver/csi_requests.h"
#include "csi-lvm/driver/lvm_node.h"
#include "csi-lvm/driver/node_requests.h"

namespace holdfast::lvm {
namespace {

constexpr std::chrono::milliseconds kFirstLook{1000};

std::int64_t signed_count(std::uint64_t count) { return static_cast<std::int64_t>(count); }

void tell(const block::VolumeUsage& usage, bool block, csi::v1::NodeGetVolumeStatsResponse& into) {
  csi::v1::VolumeUsage& bytes = *into.add_usage();
  bytes.set_unit(csi::v1::VolumeUsage::BYTES);
  bytes.set_total(signed_count(usage.total_bytes));
  if (block) return;
  bytes.set_available(signed_count(usage.available_bytes));
  bytes.set_used(signed_count(usage.used_bytes));
  if (usage.total_inodes == 0) return;
  csi::v1::VolumeUsage& inodes = *into.add_usage();
  inodes.set_unit(csi::v1::VolumeUsage::INODES);
  inodes.set_total(signed_count(usage.total_inodes));
  inodes.set_available(signed_count(usage.available_inodes));
  inodes.set_used(signed_count(usage.used_inodes));
}

// Where it is used is told by paths from outside, also by such as no volume can be at.
bool is_used_at(const mount::Mounts& mounts, const std::string& path) {
  return std::ranges::find(mounts, path, &mount::MountEntry::target) != mounts.end();
}

}  // namespace

VolumeSigns LvmNode::signs_of(const VolumeName& name, const mount::Mounts& mounts,
                              const block::VolumeSample& sample) {
  VolumeSigns signs;
  const auto group = parts_.book.group(name.group);
  const LogicalVolume* volume = group ? group->volume(name.volume) : nullptr;
  signs.missing_disk = volume != nullptr && volume->partial;
  signs.turned_read_only = std::ranges::any_of(mounts, &mount::MountEntry::turned_read_only);
  signs.io_errors = sample.io_errors;
  signs.trouble = sample.trouble;
  if (const mount::MountEntry* entry = whole_mount(mounts)) {
    const auto state = parts_.mounter.look(entry->target);
    signs.broken_mount = state && *state == mount::TargetState::kBroken;
  }
  return signs;
}

Status LvmNode::volume_stats(const csi::Call& call, const csi::v1::NodeGetVolumeStatsRequest& request,
                             csi::v1::NodeGetVolumeStatsResponse& response) {
  HOLDFAST_TRY(const Known volume, known(call, request.volume_id()));
  HOLDFAST_TRY(const mount::Mounts mounts, parts_.mounter.mounts_of(volume.device));
  if (!is_used_at(mounts, request.volume_path())) {
    return fail(Code::kNotFound, "the volume " + request.volume_id() + " is not at " + request.volume_path());
  }
  const mount::MountEntry* mounted = whole_mount(mounts);
  parts_.stats.add(request.volume_id(), mounted == nullptr ? volume.device : mounted->target);
  const auto sample = parts_.stats.first(request.volume_id(), kFirstLook);
  if (!sample || !sample->usage) {
    return fail(Code::kUnavailable, "the volume " + request.volume_id() + " has not been looked at: " +
                                        (sample ? sample->trouble : "it was unstaged meanwhile"));
  }
  tell(*sample->usage, mounted == nullptr, response);
  tell(ailments_of(signs_of(volume.name, mounts, *sample)), *response.mutable_volume_condition());
  return {};
}

Status LvmNode::volume_health(const csi::Call& call, const csi::v1::NodeGetVolumeHealthRequest& request,
                              csi::v1::NodeGetVolumeHealthResponse& response) {
  HOLDFAST_TRY(const Known volume, known(call, request.volume_id()));
  HOLDFAST_TRY(const mount::Mounts mounts, parts_.mounter.mounts_of(volume.device));
  const auto sample = parts_.stats.latest(request.volume_id());
  tell(request.volume_id(),
       ailments_of(signs_of(volume.name, mounts, sample.value_or(block::VolumeSample{}))),
       *response.mutable_volume_health());
  return {};
}

Status LvmNode::expand_volume(const csi::Call& call, const csi::v1::NodeExpandVolumeRequest& request,
                              csi::v1::NodeExpandVolumeResponse& response) {
  HOLDFAST_TRY(const LocalVolume volume, find(call, request.volume_id()));
  HOLDFAST_TRY(const mount::Mounts mounts, parts_.mounter.mounts_of(used_device(volume)));
  if (!is_used_at(mounts, request.volume_path()) && !is_used_at(mounts, request.staging_target_path())) {
    return fail(Code::kNotFound, "the volume " + request.volume_id() + " is not at " + request.volume_path());
  }
  const std::int64_t wanted = request.capacity_range().required_bytes();
  if (wanted > signed_count(volume.size_bytes)) {
    return fail(Code::kUnavailable, device_path(volume.name) + " has " + std::to_string(volume.size_bytes) +
                                        " bytes, not " + std::to_string(wanted) +
                                        ": the controller makes it larger first");
  }
  response.set_capacity_bytes(signed_count(volume.size_bytes));
  return grow(call, volume, whole_mount(mounts));
}

Status LvmNode::grow(const csi::Call& call, const LocalVolume& volume, const mount::MountEntry* mounted) {
  if (volume.encrypted) {
    HOLDFAST_CHECK(parts_.encryption.grow(mapping_of(volume.name), patience_of(call)));
  }
  if (mounted == nullptr) return {};
  const std::uint64_t size = volume.encrypted ? 0 : volume.size_bytes;  // what encrypts takes some of it
  return parts_.grow(mounted->type, mounted->target, used_device(volume), size);
}

}  // namespace holdfast::lvm
