#pragma once

#include <string>

#include "csi-lvm/cluster/protocol.h"
#include "csi-lvm/cluster/volume_object.h"
#include "csi-lvm/volumes/capacity.h"
#include "csi-lvm/volumes/local_volumes.h"

/// What a node does for one object, at LVM.
namespace holdfast::lvm {

struct WorkTools {
  Lvm& lvm;
  LocalVolumes& volumes;
  CapacityBook& book;
  std::string cluster;  ///< its uid
  Lvm::Patience patience;
  csi::VolumeHolds* holds = nullptr;  ///< of what the node's driver works on; null: there is none
};

enum class FinalizerChange : std::uint8_t { kNone, kAdd, kDrop };

struct WorkOutcome {
  LogicalVolumeStatus status{};  ///< as it is to be written
  FinalizerChange finalizer = FinalizerChange::kNone;
  bool again = false;        ///< not done: to be tried again after a while
  bool changed_lvm = false;  ///< figures are others now
};

/// One step of the protocol (decide_node). Blocks. What fails is in the status. A volume that the driver
/// works on is to be tried again.
[[nodiscard]] WorkOutcome work_on(const LogicalVolumeObject& object, const WorkTools& tools);

/// The object's status by what LVM has now: whether it was published, and what is wrong with it.
[[nodiscard]] LogicalVolumeStatus observe(const LogicalVolumeObject& object, const Inventory& inventory,
                                          const PoolLimits& limits);

/// Whether there may be something to do without anything having changed at LVM.
[[nodiscard]] bool has_work(const LogicalVolumeObject& object);

}  // namespace holdfast::lvm
