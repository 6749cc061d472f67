#pragma once

#include <string>
#include <string_view>

/// The tags by which a logical volume tells its own story: the driver's journal, which a reboot, a lost /var
/// and a new cluster all leave in place.
namespace holdfast::lvm {

/// A volume's life: kCreating until it was given to somebody, kDeleting from the moment it is given up.
inline constexpr std::string_view kStateTag = "csi.state";
inline constexpr std::string_view kCreating = "creating";
inline constexpr std::string_view kReady = "ready";
inline constexpr std::string_view kDeleting = "deleting";

/// What is known of its content (common/block/format_decision.h, Provenance).
inline constexpr std::string_view kContentTag = "csi.fs";
inline constexpr std::string_view kFormatted = "formatted:";
inline constexpr std::string_view kMaybe = "maybe";

/// The uid of the cluster that it belongs to; of none in a node without one.
inline constexpr std::string_view kClusterTag = "csi.cluster";

/// The name that it was asked for by, where LVM could not take that as it is (lv_name_of()).
inline constexpr std::string_view kNameTag = "csi.name";

/// What becomes of its content when it is deleted: none, discard or zero. Its class may be gone by then.
inline constexpr std::string_view kWipeTag = "csi.wipe";

/// Of a volume for raw access: block.
inline constexpr std::string_view kModeTag = "csi.mode";
inline constexpr std::string_view kBlock = "block";

/// Of a volume whose content is encrypted: luks2.
inline constexpr std::string_view kEncryptedTag = "csi.encrypted";
inline constexpr std::string_view kLuks2 = "luks2";

/// Of a copy: it was staged for a pod, so that its content may be another than its source's. Of other volumes
/// kContentTag tells.
inline constexpr std::string_view kPublishedTag = "csi.published";
inline constexpr std::string_view kYes = "yes";

/// The volume or snapshot that it was made from.
inline constexpr std::string_view kSourceTag = "csi.source";

/// Of a volume that was made from another's content: what its source is.
inline constexpr std::string_view kFromTag = "csi.from";
inline constexpr std::string_view kVolume = "volume";
inline constexpr std::string_view kSnapshot = "snapshot";

/// Of a volume whose content is still to be copied from its source.
inline constexpr std::string_view kFillTag = "csi.fill";
inline constexpr std::string_view kBlocks = "blocks";

/// Of a temporary snapshot or volume: the volume that it is made for (VolumeCopies: copied into it;
/// CleanGrowth: joined to it).
inline constexpr std::string_view kForTag = "csi.for";

/// Of a snapshot: the time of its making, seconds since 1970.
inline constexpr std::string_view kTakenTag = "csi.taken";

/// Of a volume that lives as long as its pod: pod.
inline constexpr std::string_view kLifeTag = "csi.life";
inline constexpr std::string_view kPodsLife = "pod";

/// Of a thin pool that was made because a volume was asked for in it: made.
inline constexpr std::string_view kPoolTag = "csi.pool";
inline constexpr std::string_view kMade = "made";

/// Of a group in which a pool is being made: what its spare may be (pool_spare.h).
inline constexpr std::string_view kSpareTag = "csi.spare";

/// "KEY=VALUE".
[[nodiscard]] inline std::string tag(std::string_view key, std::string_view value) {
  return std::string(key) + "=" + std::string(value);
}

}  // namespace holdfast::lvm
