#pragma once

#include <string_view>

#include "csi-disk/volumes/publish_context.h"

/// The tags by which a disk tells its own story: the controller's journal, kept by the cloud, so that neither
/// its restart nor another cluster loses it. A disk without them was made by somebody else.
namespace holdfast::disk {

/// A disk's life: kCreating until CreateVolume has been answered with success, so that one that nobody was
/// ever told of is known.
inline constexpr std::string_view kStateTag = "csi.state";
inline constexpr std::string_view kCreating = "creating";
inline constexpr std::string_view kReady = "ready";

/// What is known of its content: kNew or kMaybe (publish_context.h, whose key it shares). It is set to kMaybe
/// before the first attachment is answered.
inline constexpr std::string_view kContentTag = kContentKey;

/// The uid of the cluster that it belongs to; of none without a cluster.
inline constexpr std::string_view kClusterTag = "csi.cluster";

/// The volume that it is: disk_name_of() what CSI called it. Of a disk that was adopted it is not the disk's
/// own name.
inline constexpr std::string_view kNameTag = "csi.name";

/// What it was made from, "snapshot:<id>" or "volume:<id>".
inline constexpr std::string_view kFromTag = "csi.from";

/// For how many days a snapshot of it is kept that is taken before it is deleted; without the tag none is.
inline constexpr std::string_view kKeepDaysTag = "csi.keep-days";

/// The deletion that was begun, whose name its last snapshot bears: another one takes a snapshot of its own.
/// It is taken off before the disk is attached again.
inline constexpr std::string_view kDeletionTag = "csi.deletion";

/// What the tag of a volume begins with that is about to take a disk of somebody else's; its value is the
/// volume's name (DiskAdoption).
inline constexpr std::string_view kClaimTag = "csi.claim-";

/// What no user's tag may begin with.
inline constexpr std::string_view kOwnTags = "csi.";

}  // namespace holdfast::disk
