#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/block/preparer.h"
#include "common/staging/stage_requests.h"
#include "csi-lvm/volumes/local_volumes.h"

namespace csi::v1 {
class NodeStageVolumeRequest;
}  // namespace csi::v1

/// What the messages to a node mean to csi-lvm. All of it is pure.
namespace holdfast::lvm {

/// A snapshot of an XFS bears the uuid of what it was taken of, which may be mounted beside it.
[[nodiscard]] staging::MountHints hints_of(const LocalVolume& volume);

/// What the device that is mounted has at least; 0: unknown, as what encrypts takes some of it, and a clear
/// device is opened as large as it may be.
[[nodiscard]] std::uint64_t least_bytes(const LocalVolume& volume);

/// The key of a secret by which an encrypted volume is opened, as in other drivers that encrypt.
inline constexpr const char* kPassphraseKey = "encryptionPassphrase";

/// What is to be done before a volume can be mounted. Errors: those of staging::prepare_request_of();
/// kInvalidArgument, naming an attribute of PersistentVolumes that others made (volumeType), or the secret
/// that an encrypted volume needs.
Result<block::PrepareRequest> prepare_request_of(const csi::v1::NodeStageVolumeRequest& request,
                                                 const LocalVolume& volume);

/// Whether the source of a mount names a volume: "/dev/vg/pvc-1", or as device-mapper writes it,
/// "/dev/mapper/vg-pvc--1", or its clear device, "/dev/mapper/luks-vg-pvc--1". The group is free.
[[nodiscard]] bool is_named_by(std::string_view source, std::string_view volume_id);

}  // namespace holdfast::lvm
