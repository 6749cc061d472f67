#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/csi/driver.h"
#include "csi-disk/controller/disk_maker.h"

namespace csi::v1 {
class CapacityRange;
class Snapshot;
class TopologyRequirement;
class Volume;
class VolumeCapability;
class VolumeCondition;
}  // namespace csi::v1

/// What CSI's messages mean to the controller of disks.
namespace holdfast::disk {

/// How long a call may take: until its caller gives up, and not for ever.
[[nodiscard]] Patience patience_of(const csi::Call& call);

/// Whether other nodes may have it at the same time.
[[nodiscard]] bool is_shared(const csi::v1::VolumeCapability& capability);
/// Whether a disk can be used so: by one node, mounted as ext4, ext3, xfs or vfat, or raw; by several nodes
/// when it is `multi_attach`, and raw where more than one may write. Errors: kInvalidArgument, saying what
/// cannot be.
Status check_capability(const csi::v1::VolumeCapability& capability, bool multi_attach);

[[nodiscard]] SizeWish size_of(const csi::v1::CapacityRange& range);
[[nodiscard]] Accessibility accessibility_of(const csi::v1::TopologyRequirement& wanted);

/// The disk that is asked for; its mutable parameters go before the class's own. Errors: kInvalidArgument.
[[nodiscard]] Result<NewDisk> read(const csi::v1::CreateVolumeRequest& request, const DiskCloud& cloud);

/// What can be told of any disk.
void tell(const Disk& disk, const DiskSettings& settings, csi::v1::Volume& into);
/// What the node has to know of a new one, and what it was made from.
void tell_new(const NewDisk& wanted, csi::v1::Volume& into);
void tell(const Snapshot& snapshot, csi::v1::Snapshot& into);

/// What is wrong with a disk, for people; empty: nothing is known to be.
[[nodiscard]] std::string ailment_of(const Disk& disk);
void tell_condition(const Disk& disk, csi::v1::VolumeCondition& into);

}  // namespace holdfast::disk
