#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/csi/driver.h"
#include "csi-lvm/cluster/cluster_state.h"
#include "csi-lvm/cluster/volume_task.h"
#include "csi-lvm/volumes/local_volumes.h"

namespace csi::v1 {
class TopologyRequirement;
}  // namespace csi::v1

/// What CSI's calls ask of the cluster's state. Pure functions of it.
namespace holdfast::lvm {

/// A volume or snapshot as it is told.
struct ToldVolume {
  LocalVolume volume{};
  std::string place{};    ///< its node's value of the topology's key
  std::string trouble{};  ///< empty: it is well
};

/// One pair of a topology's key and value; empty: anywhere.
using Place = std::map<std::string, std::string>;

/// The preferred places, and then the others that are allowed.
[[nodiscard]] std::vector<Place> places_of(const csi::v1::TopologyRequirement& wanted);
/// The nodes at these places, in their order; without places all, those with the most room first.
[[nodiscard]] std::vector<std::string> nodes_at(const ClusterState& state, const std::vector<Place>& places);

[[nodiscard]] ToldVolume tell_of(const ClusterState& state, const LogicalVolumeObject& object,
                                 const std::string& topology_key);
/// All that are ready, sorted by name.
[[nodiscard]] std::vector<ToldVolume> list_of(const ClusterState& state, VolumeKind kind,
                                              const std::string& topology_key);
/// Errors: kNotFound, also for one of the other kind; kFailedPrecondition for two.
[[nodiscard]] Result<ToldVolume> find_in(const ClusterState& state, const std::string& volume,
                                         VolumeKind kind, const std::string& topology_key);

/// What all nodes at the place can give together, and the largest volume of one of them. `parameters` null:
/// of any class.
[[nodiscard]] Capacity capacity_at(const ClusterState& state, const Place& place,
                                   const Parameters* parameters);

/// The one node on which something can be made from its source, which `wanted` has: the source's, or that on
/// which it is already. Errors: kNotFound for the source; kAlreadyExists when there is another volume or
/// snapshot of this name.
[[nodiscard]] Result<std::string> node_of_source(const ClusterState& state, const LogicalVolumeSpec& wanted);

/// A snapshot that is asked for, or one that is there already. Errors: those of node_of_source();
/// kInvalidArgument for its class.
[[nodiscard]] Result<VolumeWish> snapshot_wish(const ClusterState& state, const std::string& name,
                                               const std::string& source,
                                               const std::map<std::string, std::string>& parameters);

}  // namespace holdfast::lvm
