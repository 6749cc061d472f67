#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::nrm {

using NodeLabels = std::map<std::string, std::string>;

/// On which nodes an entry holds: `operator` compares the label `key` with `value`.
struct NodeRule {
  enum class Operator : std::uint8_t { kIn, kNotIn, kExists, kDoesNotExist };
  std::string key;
  Operator op = Operator::kIn;
  std::string value;  ///< of kIn and kNotIn

  /// As Kubernetes compares: NotIn holds also for a node without the label.
  [[nodiscard]] bool holds(const NodeLabels& labels) const;
};

/// Which disks: one element of a list `devices`.
struct DeviceSelector {
  enum class Kind : std::uint8_t {
    kPath,     ///< "/dev/vdb", "/dev/sdb1", "/dev/disk/by-id/wwn-0x5000..."
    kWwn,      ///< "wwn:0x5000c500...", "wwn:0x5000c500...-part1"
    kSerial,   ///< "serial:WD-1234", "serial:WD-1234-part2"
    kFitting,  ///< {minSize: 100Gi, maxSize: 2Ti, rotational: false}: all whole disks that fit
  };
  Kind kind = Kind::kPath;
  std::string text;        ///< as it is shown and remembered; of one meaning always the same
  std::string value;       ///< the path, the WWN as plain_wwn() has it, or the serial number
  unsigned partition = 0;  ///< of kWwn and kSerial: of the disk this partition; 0: the disk itself
  std::uint64_t least_bytes = 0;
  std::uint64_t most_bytes = std::numeric_limits<std::uint64_t>::max();
  std::optional<bool> rotational;
};

/// A volume group that is to be there, with these disks at least.
struct GroupEntry {
  std::string name;
  NodeRule rule;
  std::vector<DeviceSelector> devices;
};

/// A folder where a file system with project quotas is to be mounted, of the first of the disks that is
/// there.
struct QuotaPathEntry {
  std::string path;
  NodeRule rule;
  std::string fs_type;  ///< "ext4" or "xfs"
  std::vector<DeviceSelector> devices;
};

/// An entry, or a part of the configuration, that cannot be used. The others still are.
struct Rejected {
  std::string entry;             ///< its name, or its place: "volumegroup[2]"
  std::string why;               ///< with the cure
  std::optional<NodeRule> rule;  ///< on which nodes that matters; unset: on all
};

/// What the ConfigMap node-resource-topo asks for.
struct Topology {
  std::vector<GroupEntry> groups;  ///< in the order of the list; a name may come several times
  std::vector<QuotaPathEntry> quota_paths;
  std::vector<Rejected> rejected;

  /// What of it is for a node with these labels.
  [[nodiscard]] Topology of_node(const NodeLabels& labels) const;
};

/// The member `data` of a ConfigMap: text by key.
using ConfigData = std::map<std::string, std::string>;

/// Keys are `volumegroup`, `quotapath` and `memory`; the text of each is YAML with one list of the same name:
///
///     volumegroup:
///     - name: volumegroup1              the volume group; of a quotapath the folder
///       key: kubernetes.io/hostname     a label of nodes
///       operator: In                    In | NotIn | Exists | DoesNotExist, in any case
///       value: cn-zhangjiakou.192.168.3.114
///       topology:
///         type: device                  the others (alibabacloud-local-disk, pmem) are rejected by name
///         devices: [/dev/vdb, wwn:0x5000c500a1b2c3d4, {minSize: 100Gi, rotational: false}]
///         fstype: ext4                  of a quotapath: ext4 or xfs [ext4]
///         options: prjquota             of a quotapath: nothing else
///
/// What cannot be used is told in `rejected` by itself; the rest stands. Keys of entries that are not known
/// are skipped. Does no I/O.
[[nodiscard]] Topology parse_topology(const ConfigData& data);

/// What a file may hold in a ConfigMap's place: a manifest of one (then its `data`), or its data alone, where
/// the lists may also stand without the text around them. Errors: kInvalidArgument, with line and column for
/// a syntax error, and for a text that holds none of the keys.
[[nodiscard]] Result<ConfigData> parse_config_file(std::string_view text);

/// Labels as a flag or a file gives them: "key=value", separated by commas or lines; empty lines and those
/// that begin with '#' are skipped. Errors: kInvalidArgument naming what has no '='.
[[nodiscard]] Result<NodeLabels> parse_labels(std::string_view text);

/// A world-wide name without what its writers put before it ("0x", "naa.", "eui.", "wwn-"), in lower case: as
/// names are compared.
[[nodiscard]] std::string plain_wwn(std::string_view wwn);

}  // namespace holdfast::nrm
