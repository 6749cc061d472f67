#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/block/blank_proof.h"
#include "common/block/device_identity.h"

namespace holdfast::nrm {

/// What was seen of one device that somebody wants.
struct Probe {
  std::string in_use;  ///< "is mounted at /data", "carries the system (/)", ...; empty: nobody uses it
  /// What is on it, or why that cannot be told. Not looked at (kCancelled) when it is in use.
  Result<block::Content> content = fail(Code::kCancelled, "was not looked at");
};

/// A device that LVM has marked as its own.
struct Member {
  std::string uuid;
  std::string group;  ///< empty: in none
  bool ours = false;  ///< our devices file has it; else only the host's LVM sees it
};

/// An entry that would have a disk.
struct Claim {
  std::string entry;
  bool pinned = false;  ///< it has had the disk
  bool operator==(const Claim&) const = default;
};

/// A volume group.
struct GroupFacts {
  std::string name;
  bool ours = false;
  std::uint64_t missing_disks = 0;
  std::vector<std::string> devices;  ///< paths, as LVM tells them
};

/// A node's disks at one moment.
struct NodeFacts {
  std::vector<block::DeviceIdentity> devices;  ///< whole disks and partitions
  std::map<std::string, std::string> links;    ///< kernel name by path, of those paths that are asked for
  std::map<std::string, Member> members;       ///< by kernel name
  std::vector<GroupFacts> groups;              ///< those of ours, and those that only the host sees
  std::map<std::string, Probe> probes;         ///< by kernel name, of devices_to_probe()
  std::map<std::string, std::vector<Claim>>
      claims;  ///< by kernel name: who names the disk, or its folder's first

  /// nullptr: there is none.
  [[nodiscard]] const block::DeviceIdentity* device(const std::string& kernel_name) const;
  [[nodiscard]] const Member* member(const std::string& kernel_name) const;
  [[nodiscard]] const GroupFacts* group(const std::string& name, bool ours) const;
};

/// Why nothing of the entry's may be put on the device, with the cure; empty when it may. Asks for its probe.
///
///     system, mounted, held, open      in use
///     named by several entries         unless one of them has had it
///     a logical volume, or on one      somebody's, whatever is on it
///     partitions, partition table      whole disks; a partition can be named
///     same WWN as another disk         two paths of one disk
///     read-only, too small
///     holds anything but zeros, or cannot be read
///
/// `fs_type`: a file system of this type may be on it; "" for none.
[[nodiscard]] std::string why_not_usable(const NodeFacts& facts, const block::DeviceIdentity& device,
                                         const std::string& entry, const std::string& fs_type);

/// Why the entry may not have the device because of others that name it; empty when it may. One that has
/// only a description that the device fits gets none that is named.
[[nodiscard]] std::string why_claimed(const NodeFacts& facts, const std::string& kernel_name,
                                      const std::string& entry);

/// What to do so that a device is blank, whatever was on it, in words: by a name that lasts, and saying what
/// is lost.
[[nodiscard]] std::string how_to_clear(const block::DeviceIdentity& device);
/// The same of one that LVM has marked: allow-format touches no such disk.
[[nodiscard]] std::string how_to_unmark(const block::DeviceIdentity& device);

/// "wwn 6001405..., PARTUUID ...", or "none that lasts".
[[nodiscard]] std::string identity_text(const block::DeviceIdentity& device);

/// "/dev/vdb".
[[nodiscard]] std::string device_path(const std::string& kernel_name);

}  // namespace holdfast::nrm
