#pragma once

#include <cstdint>
#include <optional>

#include "common/base/result.h"
#include "csi-lvm/cluster/volume_object.h"
#include "csi-lvm/lvm/inventory.h"

/// How a controller and a node that may be dead agree on a volume, as decisions on plain values: each side
/// looks at what there is, does one step, and looks again. A step that was cut off anywhere is found again by
/// the next look.
///
///     controller                                        node
///     CreateVolume:  object with finalizer  ----------> LV, then status ready (or refused, and nothing left)
///       node stale:  deletionTimestamp                  returns: tombstones before all else. LV away unless
///                    and RESOURCE_EXHAUSTED                it was published; then the finalizer
///     DeleteVolume:  reclaim, deletionTimestamp ------> LV away, then the finalizer
///       node gone:   OK                                 (returns: the same)
///
/// The object is there before the LV and goes after it, so there is never an LV of ours that no object tells
/// of, and an object whose node is dead stays until the node returns or is forgotten
/// (`holdfast node forget`).
namespace holdfast::lvm {

/// What a controller knows of a node's life.
struct NodeLife {
  bool stale = true;  ///< its NodeStorage is missing, or has not changed for kStaleAfter
  bool gone = false;  ///< also: its Node was deleted or tainted out-of-service, --node-gone-grace ago
};

enum class CreateStep : std::uint8_t {
  kWrite,       ///< make the object, if the prediction allows it
  kAwait,       ///< the node is at it, or has a tombstone of this name to clear away first
  kAnswer,      ///< it is ready
  kTombstone,   ///< set deletionTimestamp, and answer `error`
  kTakeBack,    ///< the node refused: remove the object, and answer `error`
  kAnswerError  ///< answer `error`
};
struct CreateDecision {
  CreateStep step = CreateStep::kAnswerError;
  Error error{};
};
/// `object` is that of this volume on this node, null when there is none. `wanted` is what is asked for.
[[nodiscard]] CreateDecision decide_create(const LogicalVolumeObject* object, const LogicalVolumeSpec& wanted,
                                           const NodeLife& node);

enum class DeleteStep : std::uint8_t {
  kAnswer,   ///< it is gone, or its node is
  kReclaim,  ///< set spec.reclaim
  kRemove,   ///< set deletionTimestamp
  kAwait     ///< the node is at it; when it has said what keeps it (status.code), that is the answer
};
/// `object` null: there is none.
[[nodiscard]] DeleteStep decide_delete(const LogicalVolumeObject* object, const NodeLife& node);

/// What LVM has under an object's volume name.
enum class Presence : std::uint8_t {
  kUnknown,  ///< its group is not there, and may come back
  kAbsent,
  kThere
};
struct VolumeFacts {
  Presence presence = Presence::kUnknown;
  bool ours = false;       ///< it bears this cluster's tags
  bool published = false;  ///< see ever_published()
};

enum class NodeStep : std::uint8_t {
  kNone,
  kAddFinalizer,   ///< before anything is made
  kMake,           ///< the volume or snapshot, which may be there already
  kGrow,           ///< to spec.requiredBytes
  kRemoveVolume,   ///< the LV
  kDropFinalizer,  ///< nothing of it is left
  kKeep,           ///< it was used, and nobody has said that it may go: tell so
  kTellLost        ///< it was ready, and LVM does not have it: tell so
};
[[nodiscard]] NodeStep decide_node(const LogicalVolumeObject& object, const VolumeFacts& volume);

/// Whether somebody may have written to it: it is open, or tagged so; of one that is no copy also when its
/// content is not that of a new one.
[[nodiscard]] bool ever_published(const LogicalVolume& volume);

/// What `inventory` has for `object`, in a cluster with this uid.
[[nodiscard]] VolumeFacts facts_of(const LogicalVolumeObject& object, const Inventory& inventory,
                                   std::string_view cluster);

/// Whether it is a volume that was given out in this cluster, which an object must tell of; else it is an
/// orphan. Volumes of a pod's own definition have no objects.
[[nodiscard]] bool is_ready_of(const LogicalVolume& volume, std::string_view cluster);

}  // namespace holdfast::lvm
