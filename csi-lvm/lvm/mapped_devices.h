#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "csi-lvm/lvm/inventory.h"

/// Devices of device-mapper, below LVM: what a command of LVM's that was killed has left there, no later
/// command of LVM's looks at.
namespace holdfast::lvm {

struct MappedDevice {
  std::string name;  ///< "suite-pvc--1-cow"
  std::string uuid;  ///< of LVM's: "LVM-", 32 characters of the group, 32 of the volume, then a layer
                     ///< ("-cow") or nothing
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  bool open = false;
  bool suspended = false;
  bool waiting_table = false;  ///< one is loaded that becomes its table at the next resume
};

/// All of them, also those that were never given a table, which sysfs does not show. Errors: errno of the
/// ioctls. A host without device-mapper has none. Source: linux/dm-ioctl.h, DM_LIST_DEVICES, DM_DEV_STATUS.
Result<std::vector<MappedDevice>> mapped_devices();

/// Tells each volume what its device says: whether it is active, open and unsettled, and its numbers. Right
/// for volumes that are plain (is_plain()). A device that is unsettled may be one that a command of LVM's is
/// at work on just now: only a report waits for that. Pure.
void tell_devices(const std::vector<MappedDevice>& devices, Inventory& inventory);

/// Those of the groups in `now` that their metadata do not account for: of volumes that are none, and the
/// layers of a snapshot ("-cow", "-real") of volumes that are no snapshot, or have none. Pure. True only when
/// no command of LVM's was at work on the group: so `now` is to be a report that began after the devices were
/// listed, as a report waits for such a command to end.
[[nodiscard]] std::vector<MappedDevice> strays(const std::vector<MappedDevice>& devices,
                                               const Inventory& now);

/// Those of the volume, of what it is a snapshot of, and of all snapshots of either, with their layers. Pure.
[[nodiscard]] std::vector<MappedDevice> family_of(const std::vector<MappedDevice>& devices,
                                                  const VolumeGroup& group, const LogicalVolume& volume);

/// Those of the volumes that LVM keeps for itself in the group: what its pools are made of. Pure.
[[nodiscard]] std::vector<MappedDevice> parts_of(const std::vector<MappedDevice>& devices,
                                                 const VolumeGroup& group);

/// Those of the thin volume's pool that are suspended, in the order in which they may be resumed: what the
/// pool is made of, then the pool. None of a volume without a pool. Pure.
[[nodiscard]] std::vector<MappedDevice> suspended_pool_of(const std::vector<MappedDevice>& devices,
                                                          const VolumeGroup& group,
                                                          const LogicalVolume& volume);

/// Lets what waits for the device go on, by the table that it has: one that waits is let go of. One that is
/// not suspended, or is gone, succeeds. Errors: errno of the ioctl. Source: linux/dm-ioctl.h, DM_DEV_SUSPEND.
Status resume(const MappedDevice& device);

/// A thin volume that a pool has and LVM has not yet: the command that told the pool to make it was killed
/// before it had noted that.
struct UnnotedThin {
  std::uint32_t major = 0;  ///< the pool's device
  std::uint32_t minor = 0;
  std::uint32_t id = 0;  ///< of the volume in the pool
};

/// The one that LVM ran into, by what it says when it tells the pool again. Pure.
[[nodiscard]] std::optional<UnnotedThin> unnoted_thin(std::string_view said);

/// Has the pool forget it, so that LVM can make it anew. Nobody has used it: LVM tells a pool nothing unless
/// the last change that the pool knows is the last that LVM has noted. Errors: kFailedPrecondition where the
/// device is no pool of LVM's; errno of the ioctl. Source: linux/dm-ioctl.h, DM_TARGET_MSG; "delete <dev id>"
/// of the kernel's device-mapper/thin-provisioning.
Status forget_thin(const UnnotedThin& thin);

/// Lets go of the table that waits to become the device's at its next resume. One that has none, or is gone,
/// succeeds. Errors: errno of the ioctl. Source: linux/dm-ioctl.h, DM_TABLE_CLEAR.
Status clear_waiting_table(const MappedDevice& device);

/// Removes those of the devices that nobody uses. One may stand on another. Goes on after a failure; returns
/// the first.
Status remove_unused(std::vector<MappedDevice> left);

/// Removes the device, and its node below /dev/mapper where no udevd does. Errors: kFailedPrecondition when
/// it is in use; errno of the ioctl. One that is gone succeeds. Source: linux/dm-ioctl.h, DM_DEV_REMOVE.
Status remove_mapped(const MappedDevice& device);

}  // namespace holdfast::lvm
