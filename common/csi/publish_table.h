#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "common/base/result.h"

namespace holdfast::csi {

/// How a volume may be used. The values are the wire's (csi.v1.VolumeCapability.AccessMode.Mode).
enum class AccessMode : std::uint8_t {
  kUnknown = 0,
  kSingleNodeWriter = 1,
  kSingleNodeReaderOnly = 2,
  kMultiNodeReaderOnly = 3,
  kMultiNodeSingleWriter = 4,
  kMultiNodeMultiWriter = 5,
  kSingleNodeSingleWriter = 6,
  kSingleNodeMultiWriter = 7,
};

/// Whether the mode lets several places of one node use the volume.
[[nodiscard]] bool many_on_one_node(AccessMode mode);

/// A place at which a volume is published, or is to be.
struct Publication {
  std::string target_path;
  std::string arguments;  ///< stands for all other arguments but the secrets: equal when they are equal
};

enum class PublishAnswer : std::uint8_t {
  kPublish,    ///< it is not there yet and may be
  kPublished,  ///< it is there as asked
};

/// What NodePublishVolume does about `wanted`, when the volume is published at `present` on this node, by the
/// table of a driver that has SINGLE_NODE_MULTI_WRITER:
///
///     mode                        same target      same target,      another target
///                                 and arguments    other arguments
///     single writer, and others   OK               ALREADY_EXISTS    FAILED_PRECONDITION
///     SINGLE_NODE_MULTI_WRITER    OK               ALREADY_EXISTS    OK
///     MULTI_NODE_...              OK               ALREADY_EXISTS    OK
///
/// Errors: kAlreadyExists, kFailedPrecondition; both name the place in the way.
/// Source: CSI specification, NodePublishVolume, the second table.
[[nodiscard]] Result<PublishAnswer> second_publish(AccessMode mode, const Publication& wanted,
                                                   std::span<const Publication> present);

}  // namespace holdfast::csi
