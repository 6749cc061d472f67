#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/csi/profile.h"
#include "common/staging/stage_requests.h"
#include "csi-disk/device/disk_identity.h"

namespace csi::v1 {
class VolumeCapability;
}  // namespace csi::v1

/// What the messages to a node mean to csi-disk. All of it is pure.
namespace holdfast::disk {

/// Whether a disk can be used so: mounted by one node as ext4, ext3, xfs or vfat, or read-only by many; raw
/// in any way. Errors: kInvalidArgument, saying what cannot be.
Status check_usage(const csi::v1::VolumeCapability& capability);

/// What of a volume tells its disk: of its handle, PersistentVolume and attachment.
struct DiskHints {
  std::string volume;
  staging::Attributes attributes = {};  ///< VolumeContext: serial, devicePath
  staging::Attributes attachment = {};  ///< PublishContext: serialNumber, csi.fs
};

/// The serial number that is told, by the first of: the attachment, the attribute "serial", and the handle,
/// where the profile says how its handles tell it; nullopt: none of them does. With the attribute
/// "devicePath" the handle does not count, as such a volume may be called anything. Errors: kInvalidArgument
/// for what can be none; kFailedPrecondition when attachment and handle tell two disks, and no attribute
/// which.
Result<std::optional<std::string>> told_serial(const DiskHints& hints, const csi::Profile& profile);

/// What the handle alone tells of the serial number; nullopt: nothing, or the profile does not say how.
[[nodiscard]] std::optional<std::string> serial_of_handle(const std::string& handle,
                                                          const csi::Profile& profile);

/// The attribute "devicePath", by which a disk is found that nothing else tells; "": none. Errors:
/// kInvalidArgument for what is no absolute path below /dev.
Result<std::string> told_path(const DiskHints& hints);

/// Errors: kInvalidArgument, telling what a PersistentVolume may say.
[[nodiscard]] tl::unexpected<Error> nothing_tells(const std::string& volume, const csi::Profile& profile);

}  // namespace holdfast::disk
