#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "csi-lvm/nrm/node_facts.h"
#include "csi-lvm/nrm/pins.h"
#include "csi-lvm/nrm/topology.h"

namespace holdfast::nrm {

/// One disk that an entry names, found or not.
struct Target {
  std::string entry;        ///< the group's name, or the folder
  std::string selector;     ///< as written
  std::string kernel_name;  ///< empty: it is not there, or not to be told from another
  std::string why;          ///< then: why
  std::optional<Pin> pin;   ///< what was remembered of it, when it was found by that
  bool optional = false;    ///< fits a description; nobody named it
};

/// The disks that `devices` of an entry mean. What was remembered counts before what is written; a name that
/// was never taken means what is called so now. Pure.
[[nodiscard]] std::vector<Target> find_targets(const std::string& entry,
                                               const std::vector<DeviceSelector>& devices,
                                               const NodeFacts& facts, const Pins& pins);

/// Of the disks that a folder's entry means the one that counts: what was mounted there once, else the first
/// that is there. Null when there is none at all.
[[nodiscard]] const Target* disk_of_folder(const std::vector<Target>& targets);

/// Which entries would have which disks (NodeFacts::claims): of a group all that are named, not those that
/// fit a description; of a folder the one that counts. Pure.
[[nodiscard]] std::map<std::string, std::vector<Claim>> claims_of(const Topology& own, const NodeFacts& facts,
                                                                  const Pins& pins);

/// Of these the devices whose content matters: all that LVM does not call its own.
[[nodiscard]] std::vector<std::string> devices_to_probe(const std::vector<Target>& targets,
                                                        const NodeFacts& facts);

/// What happens to one disk.
enum class Action : std::uint8_t {
  kKept,      ///< it is where it is wanted
  kCreate,    ///< it makes a new group
  kExtend,    ///< it goes into the group
  kAdopt,     ///< it is in the group already, which the host's LVM has: ours takes it in
  kWait,      ///< a later pass can tell
  kMount,     ///< of a quotapath: it is made ready and mounted
  kSkip,      ///< fits a description, but cannot be used
  kMissing,   ///< it is not there
  kDegraded,  ///< of a group: it lacks a disk
  kRefuse,    ///< it may not be used
  kFailed,    ///< what was planned failed
};

/// "kept", "create", "extend", "adopt", "wait", "mount", "skipped", "missing", "degraded", "refused",
/// "failed".
[[nodiscard]] std::string_view to_string(Action action);
/// What somebody must look at.
[[nodiscard]] bool is_trouble(Action action);

/// One line of what is shown to people.
struct PlanRow {
  std::string entry;     ///< the group, or the folder; of a rejected entry its place
  std::string selector;  ///< empty: about the entry
  std::string device;    ///< path; empty: none
  std::string identity;
  Action action = Action::kRefuse;
  std::string reason;  ///< empty for what is done without a word
};

/// A change of one group.
struct GroupChange {
  Action action = Action::kCreate;  ///< kCreate, kExtend or kAdopt
  std::string group;
  std::vector<std::string> devices;  ///< kernel names; of kAdopt paths, of all disks of the group
};

struct Plan {
  std::vector<PlanRow> rows;
  std::vector<GroupChange> changes;
  Pins pins;  ///< to be durable before the changes are made
};

/// What has to be done so that each group has its disks. Never takes a disk away from anything: what is
/// refused is told in a row of its own, and holds up nothing else. Pure; `facts.probes` has the
/// devices_to_probe().
[[nodiscard]] Plan plan_groups(const std::vector<GroupEntry>& groups, const NodeFacts& facts,
                               const Pins& pins);

/// Rows for what of the configuration cannot be used.
[[nodiscard]] std::vector<PlanRow> rows_of_rejected(const std::vector<Rejected>& rejected);

}  // namespace holdfast::nrm
