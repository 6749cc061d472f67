#pragma once

#include <string_view>

/// What the controller hands to the node with an attached disk (CSI's PublishContext). A key that is missing
/// was not known.
namespace holdfast::disk {

/// What the disk's device tells as its serial number: by it, and by nothing else, the node knows the device.
/// Missing: the cloud does not say; it is found as the profile's device links tell by the volume's handle.
inline constexpr std::string_view kSerialKey = "serialNumber";

/// What is known of the disk's content: a word of common/block/format_decision.h's Provenance. Two are handed
/// out:
///
///     new     the cloud made it blank for us, and no attachment of it was ever answered with success before
///             this one: nothing but mkfs can have been done to it
///     maybe   anything else: attached before, made from a snapshot or another disk, somebody else's
///
/// `new` is handed out at most once in a disk's life. A repeat of the call that handed it out gets `maybe`,
/// as the first answer may have reached the node. Missing is `maybe` too.
inline constexpr std::string_view kContentKey = "csi.fs";
inline constexpr std::string_view kNew = "new";
inline constexpr std::string_view kMaybe = "maybe";

}  // namespace holdfast::disk
