#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::lvm {

/// An id as LVM's devices files and device-mapper know it: reports have hyphens in between.
[[nodiscard]] std::string plain_id(std::string uuid);

/// A disk or partition that LVM has marked as its own.
struct PhysicalVolume {
  std::string uuid;
  std::string device;  ///< /dev/sdb; "[unknown]" of one that is missing
  std::uint64_t size_bytes = 0;
  std::uint64_t extents = 0;  ///< 0 of one that is in no group
  std::uint64_t free_extents = 0;
  bool missing = false;
  bool allocatable = true;
};

/// What a logical volume is made of.
enum class Layout { kLinear, kStriped, kThinPool, kThin, kOther };

/// A volume that one can see: not the parts that LVM keeps for itself.
struct LogicalVolume {
  std::string name;
  std::string uuid;
  Layout layout = Layout::kOther;
  std::uint64_t size_bytes = 0;  ///< of a thin volume the size that it pretends to have
  std::uint32_t stripes = 1;
  std::vector<std::string> tags;
  std::string pool;    ///< of a thin volume
  std::string origin;  ///< of a snapshot
  bool active = false;
  bool open = false;
  bool partial = false;  ///< a disk of it is missing
  bool lost = false;     ///< a thick snapshot for which more changed than it had room for
  /// Its device waits for the other half of a change, or to be linked in /dev: whoever was to do that was
  /// killed. Lvm::refresh() does.
  bool unsettled = false;
  std::string
      health;  ///< LVM's word for what ails it; of a thin pool "out_of_data", "metadata_read_only", "failed"
  std::uint32_t major = 0;  ///< of its device, when active
  std::uint32_t minor = 0;
  std::optional<double> data_percent;      ///< in use of a thin pool, thin volume or copy-on-write snapshot
  std::optional<double> metadata_percent;  ///< of a thin pool
  std::uint64_t metadata_bytes = 0;        ///< of a thin pool
  bool zeroes = false;                     ///< of a thin pool: what it gives to a volume it zeroes before

  [[nodiscard]] bool has_tag(std::string_view tag) const;
  /// What follows `key`= in a tag, or "".
  [[nodiscard]] std::string_view tag_value(std::string_view key) const;
};

struct VolumeGroup {
  std::string name;
  std::string uuid;
  std::uint64_t extent_bytes = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t missing_disks = 0;
  std::uint64_t sequence = 0;  ///< grows with each change of its metadata
  std::vector<std::string> tags;
  std::vector<PhysicalVolume> disks;
  std::vector<LogicalVolume> volumes;
  std::vector<std::string> parts;  ///< uuids of the volumes that LVM keeps for itself: what a pool is made of

  /// Null when there is none of this name.
  [[nodiscard]] const LogicalVolume* volume(std::string_view volume_name) const;
};

/// All that LVM knows on this node, at one moment.
struct Inventory {
  std::vector<VolumeGroup> groups;
  std::vector<PhysicalVolume> loose_disks;  ///< in no group
  /// Ids of disks that are ours to look at and not found: which groups are on them, if any, nobody knows.
  std::vector<std::string> unseen_disks{};

  [[nodiscard]] const VolumeGroup* group(std::string_view name) const;
};

/// The words of the one command that tells all of it, in JSON with sizes in bytes.
[[nodiscard]] std::vector<std::string> inventory_command();

/// The words of the command that tells what LVM has written down alone, as parse_inventory() reads it too, in
/// far less time when there are many volumes: of no device LVM asks anything.
[[nodiscard]] std::vector<std::string> metadata_command();

/// Whether all volumes are linear or striped and none is a snapshot: of these a device tells nothing that
/// needs LVM to be understood (tell_devices()).
[[nodiscard]] bool is_plain(const Inventory& inventory);

/// The words of the command that tells of one volume alone, "group/volume", in far less time.
[[nodiscard]] std::vector<std::string> volume_command(const std::string& volume);

/// Shape: what volume_command() prints, as parse_inventory(); nullopt when it tells of no volume.
[[nodiscard]] Result<std::optional<LogicalVolume>> parse_volume(std::string_view text);

/// A stretch of a thick volume, and where on the group's disks it is.
struct VolumeSegment {
  std::uint64_t size_bytes = 0;
  std::vector<std::string> places;  ///< "/dev/vdb:0-24", disk and extents; of each stripe one
  bool operator==(const VolumeSegment&) const = default;
};

/// The words of the command that tells a volume's segments, in their order.
[[nodiscard]] std::vector<std::string> segments_command(const std::string& volume);
/// Shape: what segments_command() prints, as parse_inventory().
[[nodiscard]] Result<std::vector<VolumeSegment>> parse_segments(std::string_view text);

/// Shape: what inventory_command() prints, with lines in between that LVM mixes in ("WARNING: ..."). Errors:
/// kInternal for text that is no such report, with the place in it.
/// Source: lvmreport(7), lvm(8) --reportformat json.
[[nodiscard]] Result<Inventory> parse_inventory(std::string_view text);

}  // namespace holdfast::lvm
