#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "csi-disk/backend/disk_backend.h"

namespace holdfast::disk {

/// What is in the answers of CBS and CVM. Errors of all: kUnknownOutcome for an answer of another shape.

/// Of a list from `offset` on: `next` of the page is the offset that follows, empty after the last.
[[nodiscard]] cloud::Answer<Page<Disk>> read_cbs_disks(const nlohmann::json& answer, std::uint64_t offset);
[[nodiscard]] cloud::Answer<Page<Snapshot>> read_cbs_snapshots(const nlohmann::json& answer,
                                                               std::uint64_t offset);

/// The zone of the first machine of DescribeInstances; nullopt: there is none.
[[nodiscard]] cloud::Answer<std::optional<std::string>> read_cvm_zone(const nlohmann::json& answer);
/// MaxAttachCount of DescribeInstancesDiskNum; nullopt when it says nothing.
[[nodiscard]] cloud::Answer<std::optional<std::uint32_t>> read_cbs_attach_limit(const nlohmann::json& answer);

/// A type of disks that a zone has to sell now, of DescribeDiskConfigQuota.
struct CbsStock {
  std::string zone;
  std::string type;
};
[[nodiscard]] cloud::Answer<std::vector<CbsStock>> read_cbs_stock(const nlohmann::json& answer);

/// The only id under DiskIdSet of CreateDisks, and SnapshotId of CreateSnapshot.
[[nodiscard]] cloud::Answer<std::string> read_cbs_disk_id(const nlohmann::json& answer);
[[nodiscard]] cloud::Answer<std::string> read_cbs_snapshot_id(const nlohmann::json& answer);

}  // namespace holdfast::disk
