#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "csi-disk/backend/disk_backend.h"

namespace holdfast::disk {

/// What is in the answers of ECS. Errors of all: kUnknownOutcome for an answer of another shape.

/// Of DescribeDisks and DescribeSnapshots.
[[nodiscard]] cloud::Answer<Page<Disk>> read_ecs_disks(const nlohmann::json& answer);
[[nodiscard]] cloud::Answer<Page<Snapshot>> read_ecs_snapshots(const nlohmann::json& answer);

/// A machine, of DescribeInstances.
struct EcsInstance {
  std::string id;
  std::string zone;
  std::string type;
};
[[nodiscard]] cloud::Answer<std::vector<EcsInstance>> read_ecs_instances(const nlohmann::json& answer);

/// How many disks a machine of `type` may have, with the one that it boots from, of DescribeInstanceTypes;
/// nullopt when it says nothing of that type.
[[nodiscard]] cloud::Answer<std::optional<std::uint32_t>> read_ecs_disk_quantity(
    const nlohmann::json& answer);

/// Types of data disks that some zone has in stock, of DescribeAvailableResource; sorted.
[[nodiscard]] cloud::Answer<std::vector<std::string>> read_ecs_stock(const nlohmann::json& answer);

/// The text under `key`: "DiskId" of CreateDisk, "SnapshotId" of CreateSnapshot.
[[nodiscard]] cloud::Answer<std::string> read_ecs_id(const nlohmann::json& answer, std::string_view key);

}  // namespace holdfast::disk
