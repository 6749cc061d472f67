#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"
#include "common/kube/object.h"
#include "csi-lvm/lvm/inventory.h"

/// What a node's LVM can give, as an object, cluster-scoped and named after the node:
///
///     apiVersion: storage.holdfast.dev/v1alpha1
///     kind: NodeStorage
///     spec: {topology: {kubernetes.io/hostname: edge-1}}
///     status:
///       heartbeatTime      for people: who judges whether it is stale counts from when he saw it change
///       heartbeats         grows with each write, also where a clock stands still
///       groups:
///       - name, uuid, extentBytes, sizeBytes, freeBytes, missingDisks
///         spareBytes       what new volumes must leave
///         diskFreeExtents  [25599, 0]: of each disk, by which the largest striped volume is known
///         largestBytes, largestStripedBytes     one volume, over one disk after the other and over all
///         volumes          {pvc-1: 4194304}: those that these figures include, and their sizes
///         pools            [{name, sizeBytes, pretendedBytes, dataPercent, metadataPercent}]
///         metadata         LVM's own backup of the group, for vgcfgrestore; absent when it is too large
///       orphans            [{vg, volume, sizeBytes}] ready volumes of this cluster without an object
///       orphanCount        of all; no more than kMostOrphans are listed
///       trouble            why LVM could not be asked, if so: the figures are older than the heartbeat
namespace holdfast::lvm {

struct PoolReport {
  std::string name{};
  std::uint64_t size_bytes = 0;
  std::uint64_t pretended_bytes = 0;  ///< the sizes of its volumes
  double data_percent = 100;
  double metadata_percent = 100;

  bool operator==(const PoolReport&) const = default;
};

struct GroupReport {
  std::string name{};
  std::string uuid{};
  std::uint64_t extent_bytes = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t missing_disks = 0;
  std::uint64_t spare_bytes = 0;
  std::vector<std::uint64_t> disk_free_extents{};
  std::uint64_t largest_bytes = 0;
  std::uint64_t largest_striped_bytes = 0;
  std::map<std::string, std::uint64_t> volumes{};
  std::vector<PoolReport> pools{};
  std::string metadata{};

  bool operator==(const GroupReport&) const = default;
};

struct Orphan {
  std::string group{};
  std::string volume{};
  std::uint64_t size_bytes = 0;

  bool operator==(const Orphan&) const = default;
};

struct NodeStorageStatus {
  std::string heartbeat_time{};
  std::vector<GroupReport> groups{};
  std::vector<Orphan> orphans{};
  std::uint64_t orphan_count = 0;
  std::string trouble{};

  bool operator==(const NodeStorageStatus&) const = default;
};

struct NodeStorageObject {
  kube::ObjectId id{};
  std::map<std::string, std::string> topology{};
  NodeStorageStatus status{};

  bool operator==(const NodeStorageObject&) const = default;
};

/// A server refuses objects of more than 1.5 MB, and each change is sent to every controller.
inline constexpr std::size_t kMostMetadataBytes = std::size_t{64} << 10;
inline constexpr std::size_t kMostOrphans = 100;

/// What of an object is kept for decode_node_storage().
[[nodiscard]] kube::KeptFields node_storage_fields();

/// Errors: kInvalidArgument, naming the member and the value.
[[nodiscard]] Result<NodeStorageObject> decode_node_storage(const JsonObject& object);

/// Without status.
[[nodiscard]] nlohmann::json encode_node_storage(const std::string& node,
                                                 const std::map<std::string, std::string>& topology);
/// The whole status as a merge patch of it: what is unset is null, and lists replace what was there.
[[nodiscard]] nlohmann::json encode_status(const NodeStorageStatus& status);

/// The groups of a node as LVM reports them. `spare_bytes` by group.
[[nodiscard]] std::vector<GroupReport> report_groups(const Inventory& inventory,
                                                     const std::map<std::string, std::uint64_t>& spare_bytes);
/// What they tell, as a capacity book takes it: each pool's volumes are one that pretends to all of their
/// sizes.
[[nodiscard]] Inventory inventory_of(const std::vector<GroupReport>& groups);

}  // namespace holdfast::lvm
