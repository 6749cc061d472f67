#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "csi-disk/backend/disk_backend.h"
#include "csi-disk/volumes/disk_cloud.h"
#include "csi-disk/volumes/parameter_keys.h"

namespace holdfast::disk {

/// What a StorageClass asks for. Keys are compared without regard to case; B is true for yes, true and 1 in
/// any case, else false; lists are separated by commas, with blanks as one likes.
///
///     type                 list, tried in this order; `available`: the cloud's usual ones    available
///     performanceLevel     list of PL0..PL3, tried in this order, of types that have levels   the cloud's
///     zoneId               list; together with what pods can reach                  what pods can reach
///     regionId             the controller's                                                   the same
///     provisionedIops, burstingEnabled   a number; B: of types that have them
///     encrypted            B                                                                  false
///     kmsKeyId, alibabacloud.com/kms-key-id   needs encrypted                                 the account's
///     fsType               ext4 | ext3 | xfs | vfat                                           ext4
///     mkfsOptions, sysConfig, omitfsck, readOnly   handed to the node
///     resourceGroupId, storageClusterId (needs performanceLevel)
///     diskTags             key:value list; diskTags/<key>: a value
///     multiAttach          true | enabled: to several nodes at a time, raw                    off
///     volumeSizeAutoAvailable            B: less than 20 GiB becomes 20 GiB                   false
///     volumeDeleteSnapshotRetentionDays  1..65536: a snapshot is taken before the disk is deleted, and kept
///     volume.alibabacloud.com/disk-id    the disk to use instead of making one
///     csi.alibabacloud.com/disk-snapshot-id   the snapshot to make it from
///     restrictToHpnZone    B; for the backend, which may know what such a zone is         false
///     alibabacloud.com/createdisk-arn   role that the cloud makes the disk as            the caller's
///     chargeType           POSTPAID_BY_HOUR, the only one
///     volumeExpandAutoSnapshot   accepted, without effect: a growth loses nothing
///
/// Refused by name: dataCacheSize, dataCacheMode, fsType ntfs; and what a node would refuse of mkfsOptions
/// and sysConfig. Keys of csi.storage.k8s.io/ are others' and skipped; any other key is refused, because a
/// misspelt one would otherwise be a default. Source: the drivers' documented StorageClasses.
struct DiskClass {
  std::vector<std::string> types = {};   ///< at least one
  std::vector<std::string> levels = {};  ///< empty: the cloud's choice
  std::vector<std::string> zones = {};
  std::string region = {};
  std::optional<std::uint32_t> iops = {};
  std::optional<bool> bursting = {};
  bool encrypted = false;
  std::string key = {};
  std::string resource_group = {};
  std::string storage_cluster = {};
  bool hpn_zone = false;
  std::string role = {};
  Tags tags = {};
  bool multi_attach = false;
  bool round_up_small = false;
  std::optional<std::uint32_t> keep_days = {};
  std::string adopt_disk = {};
  std::string from_snapshot = {};
  /// What the node is told in the VolumeContext: fsType, mkfsOptions, sysConfig, omitfsck, readOnly, under
  /// these names and as they were written.
  Parameters for_node = {};
};

/// Errors: kInvalidArgument, naming the parameter, its value and what it may be.
[[nodiscard]] Result<DiskClass> parse_disk_class(const Parameters& given, const DiskCloud& cloud);

/// One disk that a class would have.
struct DiskChoice {
  std::string type;
  std::string level = {};
  std::uint64_t gib = 0;
  bool operator==(const DiskChoice&) const = default;
};

/// All disks of the class that are of the wanted size, in the order of their trying: types first, levels
/// within. At least one. Errors: kOutOfRange when no type of the class has that size.
[[nodiscard]] Result<std::vector<DiskChoice>> choices_of(const DiskClass& wanted, const DiskCloud& cloud,
                                                         const SizeWish& wish);

/// What a VolumeAttributesClass changes. Keys: type, performanceLevel, provisionedIops, burstingEnabled,
/// diskTags/<key> (a value), -diskTags/<key> (takes it away).
struct DiskChange {
  Performance performance = {};  ///< what is empty stays
  Tags set = {};
  std::vector<std::string> unset = {};
};

/// Errors: kInvalidArgument for any other key, and as parse_disk_class().
[[nodiscard]] Result<DiskChange> parse_disk_change(const Parameters& given, const DiskCloud& cloud);

/// Whether the disk can be so. Errors: kInvalidArgument: its size is not one of the new type's or level's, or
/// the type has no levels, no operations per second or no bursting to buy.
Status check_change(const DiskChange& change, const Disk& disk, const DiskCloud& cloud);

/// What a VolumeSnapshotClass asks for: retentionDays (1..65536), resourceGroupId, snapshotTags/<key>.
/// snapshotType, instantAccess and instantAccessRetentionDays are accepted without effect.
struct SnapshotClass {
  std::optional<std::uint32_t> keep_days = {};
  std::string resource_group = {};
  Tags tags = {};
};

/// Errors: kInvalidArgument, as parse_disk_class().
[[nodiscard]] Result<SnapshotClass> parse_snapshot_class(const Parameters& given);

}  // namespace holdfast::disk
