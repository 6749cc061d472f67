#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/block/preparer.h"
#include "common/csi/driver.h"
#include "common/csi/publish_table.h"
#include "common/mount/mounter.h"
#include "csi-lvm/volumes/local_volumes.h"

namespace csi::v1 {
class NodeStageVolumeRequest;
class VolumeCapability;
}  // namespace csi::v1

/// What the messages to a node mean to csi-lvm. All of it is pure.
namespace holdfast::lvm {

/// What a volume is to be mounted with: its options as mount(2) will read them, and those that its mode and
/// its making ask for. A snapshot of an XFS bears the uuid of what it was taken of, which may be mounted
/// beside it. Errors: kInvalidArgument, naming the option.
Result<mount::MountOptions> mount_options_of(const csi::v1::VolumeCapability& capability,
                                             const std::string& fs_type, const LocalVolume& volume);

/// The key of a secret by which an encrypted volume is opened, as in other drivers that encrypt.
inline constexpr const char* kPassphraseKey = "encryptionPassphrase";

/// What is to be done before a volume can be mounted. Attributes of PersistentVolumes that others made
/// (volumeType, fsType) count too. Errors: kInvalidArgument, naming the attribute, or the secret that an
/// encrypted volume needs.
Result<block::PrepareRequest> prepare_request_of(const csi::v1::NodeStageVolumeRequest& request,
                                                 const LocalVolume& volume);

/// The group that a volume is mounted for; nullopt: none. Errors: kInvalidArgument for what is no number.
Result<std::optional<gid_t>> group_of(const csi::v1::VolumeCapability& capability);

/// How a volume is shown at a place, in the words of publications(): "block", "mount rw", "mount ro".
[[nodiscard]] std::string arguments_of(bool block, bool read_only);

/// The places where a volume is published, by the mounts of its device: but for `staging_path`, and for parts
/// of it, which kubelet binds for containers (subPath).
[[nodiscard]] std::vector<csi::Publication> publications(const mount::Mounts& mounts,
                                                         std::string_view staging_path);

/// The mount of all that is on a device, a writable one if there is such a one; null when there is none.
[[nodiscard]] const mount::MountEntry* whole_mount(const mount::Mounts& mounts);

/// Whether the source of a mount names a volume: "/dev/vg/pvc-1", or as device-mapper writes it,
/// "/dev/mapper/vg-pvc--1", or its clear device, "/dev/mapper/luks-vg-pvc--1". The group is free.
[[nodiscard]] bool is_named_by(std::string_view source, std::string_view volume_id);

}  // namespace holdfast::lvm
