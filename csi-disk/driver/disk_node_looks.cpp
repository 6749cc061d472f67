// What DiskNode tells of volumes that are in use, their growing, and its records.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "common/base/fd.h"
#include "common/base/first_error.h"
#include "common/csi/proto/csi.pb.h"
#include "csi-disk/driver/disk_node.h"

namespace holdfast::disk {
namespace {

constexpr std::chrono::seconds kSizePatience{5};
constexpr std::chrono::seconds kLookAnyway{1};

const std::string kMaybe = block::to_string({.kind = block::Provenance::Kind::kMaybe, .uuid = {}});
const std::string kFormatting = block::to_string({.kind = block::Provenance::Kind::kFormatting, .uuid = {}});

staging::Ailments disk_is_gone(const Error& why) {
  return {{staging::Ailment::Kind::kInaccessible, "DiskGone", why.message}};
}

}  // namespace

void rescan_size(const std::string& disk, const std::filesystem::path& sys) {
  const std::string path = (sys / "block" / disk / "device/rescan").native();
  const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  // Where it is not there, or does not help, the size that is waited for does not come.
  if (file.valid() && ::write(file.get(), "1", 1) != 1) return;
}

Status DiskNode::volume_stats(const csi::Call& /*call*/, const csi::v1::NodeGetVolumeStatsRequest& request,
                              csi::v1::NodeGetVolumeStatsResponse& response) {
  const auto volume = staged(request.volume_id());
  if (volume) return stager_.tell_stats(request, volume->device, {}, response);
  if (volume.error().code != Code::kUnavailable) return tl::unexpected(volume.error());
  HOLDFAST_TRY(const mount::TargetState state, parts_.mounter.look(request.volume_path()));
  if (state != mount::TargetState::kBroken && state != mount::TargetState::kMounted) {
    return fail(Code::kNotFound, "the volume " + request.volume_id() + " is not at " + request.volume_path());
  }
  staging::tell(disk_is_gone(volume.error()), *response.mutable_volume_condition());
  return {};
}

Status DiskNode::volume_health(const csi::Call& /*call*/, const csi::v1::NodeGetVolumeHealthRequest& request,
                               csi::v1::NodeGetVolumeHealthResponse& response) {
  const auto volume = staged(request.volume_id());
  if (volume) return stager_.tell_health(request, volume->device, {}, response);
  if (volume.error().code != Code::kUnavailable) return tl::unexpected(volume.error());
  staging::tell(request.volume_id(), disk_is_gone(volume.error()), *response.mutable_volume_health());
  return {};
}

// The cloud has made it larger; the kernel may hear of that a moment later.
Status DiskNode::wait_for_size(const Staged& volume, std::uint64_t bytes, const csi::Call& call) {
  const std::chrono::nanoseconds end =
      parts_.clock.since_boot() + std::min<std::chrono::nanoseconds>(kSizePatience, call.time_left());
  for (bool first = true;; first = false) {
    const std::uint64_t seen = parts_.news.count();
    HOLDFAST_TRY(const std::uint64_t size, parts_.size_of(volume.disk.disk));
    if (size >= bytes) return {};
    if (first) parts_.rescan(volume.disk.name);
    const std::chrono::nanoseconds left = end - parts_.clock.since_boot();
    if (left <= std::chrono::nanoseconds::zero()) {
      return fail(Code::kUnavailable, volume.disk.disk + " has " + std::to_string(size) + " bytes, not " +
                                          std::to_string(bytes) + ": the controller makes it larger first");
    }
    [[maybe_unused]] const bool told =
        parts_.news.wait(seen, first ? std::chrono::nanoseconds::zero()
                                     : std::min<std::chrono::nanoseconds>(left, kLookAnyway));
  }
}

Status DiskNode::expand_volume(const csi::Call& call, const csi::v1::NodeExpandVolumeRequest& request,
                               csi::v1::NodeExpandVolumeResponse& response) {
  HOLDFAST_TRY(const Staged volume, staged(request.volume_id()));
  HOLDFAST_TRY(const std::optional<mount::MountEntry> mounted, stager_.mount_to_grow(request, volume.device));
  const auto wanted =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, request.capacity_range().required_bytes()));
  HOLDFAST_CHECK(wait_for_size(volume, wanted, call));
  HOLDFAST_TRY(const std::uint64_t size, parts_.size_of(volume.disk.disk));
  response.set_capacity_bytes(static_cast<std::int64_t>(size));
  if (!mounted) return {};
  const bool in_partition = volume.device != volume.disk.disk;
  if (in_partition) HOLDFAST_CHECK(parts_.grow_partition(volume.disk.name, staging::patience_of(call)));
  // The table takes some of the disk.
  return parts_.stager.grow(mounted->type, mounted->target, volume.device, in_partition ? 0 : wanted);
}

Status DiskNode::forget_detached() {
  HOLDFAST_TRY(const std::vector<DiskRecord> all, parts_.records.all());
  FirstError first;
  for (DiskRecord record : all) {
    const bool cut_off = record.content == kFormatting;
    if (!cut_off && (record.content != kMaybe || !record.device_path.empty())) continue;
    // One that was pulled in use is what its pods and their unstaging go by.
    if (parts_.stats.latest(record.volume)) continue;
    const auto disk = parts_.finder.look(record.identity);
    if (!disk || *disk) continue;
    record.content = kMaybe;
    first.add(cut_off ? parts_.records.write(record) : parts_.records.remove(record.volume));
  }
  return first.result();
}

}  // namespace holdfast::disk
