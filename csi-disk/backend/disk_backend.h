#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/cloud/call_error.h"

namespace holdfast::disk {

using Tags = std::map<std::string, std::string>;

/// How fast a disk is, in the cloud's own words; what is empty is left to the cloud.
struct Performance {
  std::string type = {};                   ///< "cloud_essd", "CLOUD_PREMIUM"
  std::string level = {};                  ///< "PL1"; of types that have levels
  std::optional<std::uint32_t> iops = {};  ///< beyond what its size brings along
  std::optional<bool> bursting = {};
  bool operator==(const Performance&) const = default;
};

/// A disk to be made.
struct DiskSpec {
  /// By which it is found again, as is_cloud_name() takes it. Two disks may have the same.
  std::string name;
  std::uint64_t gib = 0;
  Performance performance = {};
  std::string zone = {};      ///< empty: the cloud's choice
  std::string snapshot = {};  ///< id of what it is made from; empty: blank
  bool encrypted = false;
  std::string key = {};  ///< id of the key that it is encrypted with; empty: the account's
  bool multi_attach = false;
  std::string resource_group = {};
  std::string storage_cluster = {};  ///< of dedicated disks
  bool hpn_zone = false;  ///< in a zone of the high-performance network; of clouds that have such zones
  std::string role = {};  ///< that the cloud makes it as; empty: the caller's own account
  Tags tags = {};
};

enum class DiskState : std::uint8_t {
  kCreating,
  kAvailable,  ///< attached nowhere
  kAttaching,
  kInUse,  ///< attached
  kDetaching,
  kOther,  ///< a work of the cloud's own is under way (a growth, a roll-back): it ends by itself
};

struct Disk {
  std::string id;
  std::string name = {};
  std::uint64_t gib = 0;
  Performance performance = {};
  std::string zone = {};
  DiskState state = DiskState::kAvailable;
  /// Ids of the nodes that it is attached to, or being attached to or detached from.
  std::vector<std::string> nodes = {};
  /// What its device tells as serial number on a node; empty: the cloud does not say.
  std::string serial = {};
  std::string snapshot = {};  ///< that it was made from
  bool encrypted = false;
  bool multi_attach = false;
  bool locked = false;  ///< kept and not to be used, as the account is in arrears
  Tags tags = {};
};

struct SnapshotSpec {
  std::string name;  ///< as DiskSpec's
  std::string disk;
  std::optional<std::uint32_t> keep_days = {};  ///< then the cloud removes it; nullopt: never
  std::string resource_group = {};
  Tags tags = {};
};

struct Snapshot {
  std::string id;
  std::string name = {};
  std::string disk = {};  ///< may be gone
  std::uint64_t gib = 0;  ///< of that disk when it was cut
  std::chrono::sys_seconds cut{};
  bool ready = false;   ///< a disk can be made from it
  bool failed = false;  ///< and none ever will
  Tags tags = {};
};

/// Some of a long list.
template <class T>
struct Page {
  std::vector<T> items = {};
  std::string next = {};  ///< where the following page begins; empty: there is none
};

/// What the cloud tells of one of its machines.
struct NodeFacts {
  std::string id;
  std::string zone = {};
  std::string region = {};
  /// How many disks may be attached to it beside the one that it boots from; nullopt: the cloud does not say.
  std::optional<std::uint32_t> attach_limit = {};
  /// Types of disks that can be attached to it; empty: the cloud does not say.
  std::vector<std::string> types = {};
};

/// What a backend can do beside making, deleting, attaching, detaching and listing disks.
struct Abilities {
  bool create = true;  ///< false: disks are made and attached by others
  bool snapshots = false;
  bool grow = false;
  bool modify = false;
  bool tags = false;  ///< what a disk was used for can be kept with it
  bool multi_attach = false;
  std::uint32_t describe_most = 100;  ///< ids that one call of disks() may have
  bool operator==(const Abilities&) const = default;
};

/// Somebody's disk service. Every call has a deadline (of each exchange: a list may take several) and ends as
/// cloud::CallEnd says; a caller asks again after kUnknownOutcome with the same token, and what the call does
/// is done once. A call that changes something returns when the service has taken it, not when it is
/// finished: state and nodes of the disk tell that. What describes never answers kNoSuchThing: that something
/// is not in an answer is the service's word that it does not exist. Thread-safe.
class DiskBackend {
 public:
  using Deadline = std::chrono::milliseconds;
  template <class T>
  using Answer = cloud::Answer<T>;
  using Done = cloud::Done;

  DiskBackend() = default;
  DiskBackend(const DiskBackend&) = delete;
  DiskBackend& operator=(const DiskBackend&) = delete;
  virtual ~DiskBackend() = default;

  [[nodiscard]] virtual Abilities abilities() const = 0;

  /// The new disk's id. Errors: kRefused as kQuota when the zone is out of that type, or the account of its
  /// share; as kInvalid when the zone has no such type, or the type no such size.
  virtual Answer<std::string> create_disk(const DiskSpec& spec, const std::string& token,
                                          Deadline deadline) = 0;
  /// One that is not there is deleted. Errors: kRefused as kInUse while it is attached, or snapshots of it
  /// are being made.
  virtual Done delete_disk(const std::string& id, Deadline deadline) = 0;

  /// Those of `ids` that there are; at most abilities().describe_most.
  virtual Answer<std::vector<Disk>> disks(const std::vector<std::string>& ids, Deadline deadline) = 0;
  /// All that are called `name`; as a rule none or one.
  virtual Answer<std::vector<Disk>> disks_named(const std::string& name, Deadline deadline) = 0;
  /// All of the region from `from` on (empty: the first), at most `most`. Errors: kRefused as kInvalid for a
  /// `from` that was never a Page's next.
  virtual Answer<Page<Disk>> list_disks(const std::string& from, std::uint32_t most, Deadline deadline) = 0;

  /// Succeeds when the disk is attached, or being attached, to `node` already. Errors: kNoSuchThing,
  /// `code` telling of which; kRefused as kInUse when another node has it, as kQuota when the node has no
  /// room for one more.
  virtual Done attach_disk(const std::string& disk, const std::string& node, Deadline deadline) = 0;
  /// Never by force. One that is not attached to `node` is detached, and so is one of a node or a disk that
  /// is gone.
  virtual Done detach_disk(const std::string& disk, const std::string& node, Deadline deadline) = 0;

  /// To `gib`, online. One that has that size or more is left alone. Errors: kNoSuchThing; kRefused as
  /// kInvalid for a size that its type cannot have, as kInUse while something else is being done to it.
  virtual Done grow_disk(const std::string& disk, std::uint64_t gib, const std::string& token,
                         Deadline deadline) = 0;
  /// What is empty in `performance` stays as it is. Errors: kNoSuchThing; kRefused as kInvalid for what that
  /// disk cannot be: nothing has been changed then, when either bursting alone was asked for or all else.
  virtual Done modify_disk(const std::string& disk, const Performance& performance, const std::string& token,
                           Deadline deadline) = 0;
  /// `set` over what is there, `unset` away. Errors: kNoSuchThing.
  virtual Done tag_disk(const std::string& disk, const Tags& set, const std::vector<std::string>& unset,
                        Deadline deadline) = 0;

  /// The new snapshot's id. Errors: kNoSuchThing for the disk; kRefused as kQuota.
  virtual Answer<std::string> create_snapshot(const SnapshotSpec& spec, const std::string& token,
                                              Deadline deadline) = 0;
  /// One that is not there is deleted. Errors: kRefused as kInUse while a disk is being made from it.
  virtual Done delete_snapshot(const std::string& id, Deadline deadline) = 0;
  /// As disks(), and disks_named().
  virtual Answer<std::vector<Snapshot>> snapshots(const std::vector<std::string>& ids, Deadline deadline) = 0;
  virtual Answer<std::vector<Snapshot>> snapshots_named(const std::string& name, Deadline deadline) = 0;
  /// As list_disks(); of one disk alone when `disk` is not empty.
  virtual Answer<Page<Snapshot>> list_snapshots(const std::string& disk, const std::string& from,
                                                std::uint32_t most, Deadline deadline) = 0;

  /// nullopt: there is no such node.
  virtual Answer<std::optional<NodeFacts>> node(const std::string& id, Deadline deadline) = 0;
  /// Types of disks that `zone` has to sell now; empty `zone`: any of the region.
  virtual Answer<std::vector<std::string>> types_in_stock(const std::string& zone, Deadline deadline) = 0;
};

}  // namespace holdfast::disk
