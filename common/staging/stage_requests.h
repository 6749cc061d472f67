#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/block/preparer.h"
#include "common/csi/driver.h"
#include "common/csi/publish_table.h"
#include "common/mount/mounter.h"

namespace csi::v1 {
class NodeStageVolumeRequest;
class VolumeCapability;
}  // namespace csi::v1

/// What the messages to a node mean to drivers whose volumes are block devices. All of it is pure.
namespace holdfast::staging {

/// How long a call may take: until its caller gives up, and not for ever.
[[nodiscard]] std::chrono::milliseconds patience_of(const csi::Call& call);

using Attributes = std::map<std::string, std::string>;
[[nodiscard]] Attributes attributes_of(const csi::v1::NodeStageVolumeRequest& request);
/// "" of a key that is not there.
[[nodiscard]] std::string text_of(const Attributes& attributes, const std::string& key);

/// What is known of a volume beside its capability that bears on how it is mounted.
struct MountHints {
  bool copy = false;       ///< of another volume: an XFS bears the uuid of one that may be mounted beside it
  bool read_only = false;  ///< whatever its mode is
};

/// What a volume is to be mounted with: its options as mount(2) will read them, and those that its mode and
/// the hints ask for. vfat has no owners of its own, so that its group is an option. Errors:
/// kInvalidArgument, naming the option.
Result<mount::MountOptions> mount_options_of(const csi::v1::VolumeCapability& capability,
                                             const std::string& fs_type, const MountHints& hints);

/// What is to be done before a volume can be mounted, as far as the request tells: file system, options of
/// mkfs, formatIfBlank, omitfsck. Attributes of PersistentVolumes that others made (fsType) count too. Device
/// and provenance are the driver's to add. Errors: those of mount_options_of().
Result<block::PrepareRequest> prepare_request_of(const csi::v1::NodeStageVolumeRequest& request,
                                                 const MountHints& hints);

/// The group that a volume is mounted for; nullopt: none. Errors: kInvalidArgument for what is no number.
Result<std::optional<gid_t>> group_of(const csi::v1::VolumeCapability& capability);

/// How a volume is used at a place.
enum class Use : std::uint8_t { kRaw, kFiles, kFilesReadOnly };
/// In the words of publications(): "block", "mount rw", "mount ro".
[[nodiscard]] std::string arguments_of(Use use);

/// Whether kubelet stages a volume at such a path. It has moved its folder in Kubernetes 1.24, and what an
/// older one had staged nobody else unstages. Source: kubelet, pkg/volume/csi/csi_attacher.go,
/// makeDeviceMountPath.
[[nodiscard]] bool is_global_mount(std::string_view target);

/// The places where a volume is published, by the mounts of its device: but for `staging_path`, and for parts
/// of it, which kubelet binds for containers (subPath).
[[nodiscard]] std::vector<csi::Publication> publications(const mount::Mounts& mounts,
                                                         std::string_view staging_path);

/// Whether a volume with these mounts may be used now as `wanted`: by who writes to the raw device what uses
/// its file system would be destroyed, and the other way round. Errors: kFailedPrecondition, naming where it
/// is used.
Status check_use(const mount::Mounts& mounts, Use wanted, const std::string& volume_id);

/// The mount of all that is on a device, a writable one if there is such a one; null when there is none.
[[nodiscard]] const mount::MountEntry* whole_mount(const mount::Mounts& mounts);

}  // namespace holdfast::staging
