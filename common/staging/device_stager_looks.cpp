// What DeviceStager tells of volumes that are in use.
#include <algorithm>
#include <chrono>
#include <utility>

#include "common/csi/proto/csi.pb.h"
#include "common/staging/device_stager.h"

namespace holdfast::staging {
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

tl::unexpected<Error> not_at(const std::string& volume, const std::string& path) {
  return fail(Code::kNotFound, "the volume " + volume + " is not at " + path);
}

}  // namespace

Ailments DeviceStager::seen(const mount::Mounts& mounts, const block::VolumeSample& sample, Ailments known) {
  VolumeSigns signs;
  signs.turned_read_only = std::ranges::any_of(mounts, &mount::MountEntry::turned_read_only);
  signs.io_errors = sample.io_errors;
  signs.trouble = sample.trouble;
  if (const mount::MountEntry* entry = whole_mount(mounts)) {
    const auto state = parts_.mounter.look(entry->target);
    signs.broken_mount = state && *state == mount::TargetState::kBroken;
  }
  std::ranges::move(ailments_of(signs), std::back_inserter(known));
  std::ranges::stable_sort(known, std::ranges::greater(), &Ailment::kind);
  return known;
}

Status DeviceStager::tell_stats(const csi::v1::NodeGetVolumeStatsRequest& request, const std::string& device,
                                Ailments known, csi::v1::NodeGetVolumeStatsResponse& response) {
  const std::string& id = request.volume_id();
  HOLDFAST_TRY(const mount::Mounts mounts, parts_.mounter.mounts_of(device));
  if (!is_used_at(mounts, request.volume_path())) return not_at(id, request.volume_path());
  const mount::MountEntry* mounted = whole_mount(mounts);
  parts_.stats.add(id, mounted == nullptr ? device : mounted->target);
  const auto sample = parts_.stats.first(id, kFirstLook);
  if (!sample || !sample->usage) {
    return fail(Code::kUnavailable, "the volume " + id + " has not been looked at: " +
                                        (sample ? sample->trouble : "it was unstaged meanwhile"));
  }
  tell(*sample->usage, mounted == nullptr, response);
  staging::tell(seen(mounts, *sample, std::move(known)), *response.mutable_volume_condition());
  return {};
}

Status DeviceStager::tell_health(const csi::v1::NodeGetVolumeHealthRequest& request,
                                 const std::string& device, Ailments known,
                                 csi::v1::NodeGetVolumeHealthResponse& response) {
  HOLDFAST_TRY(const mount::Mounts mounts, parts_.mounter.mounts_of(device));
  const auto sample = parts_.stats.latest(request.volume_id());
  staging::tell(request.volume_id(), seen(mounts, sample.value_or(block::VolumeSample{}), std::move(known)),
                *response.mutable_volume_health());
  return {};
}

Result<std::optional<mount::MountEntry>> DeviceStager::mount_to_grow(
    const csi::v1::NodeExpandVolumeRequest& request, const std::string& device) {
  HOLDFAST_TRY(const mount::Mounts mounts, parts_.mounter.mounts_of(device));
  if (!is_used_at(mounts, request.volume_path()) && !is_used_at(mounts, request.staging_target_path())) {
    return not_at(request.volume_id(), request.volume_path());
  }
  const mount::MountEntry* mounted = whole_mount(mounts);
  return mounted == nullptr ? std::nullopt : std::optional(*mounted);
}

}  // namespace holdfast::staging
