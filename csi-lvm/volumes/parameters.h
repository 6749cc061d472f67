#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::lvm {

/// What becomes of a volume's content before its extents are given to another.
enum class Wipe { kNone, kDiscard, kZero };

/// "none", "discard", "zero".
[[nodiscard]] std::string_view to_string(Wipe wipe);
/// Errors: kInvalidArgument for any other word.
Result<Wipe> parse_wipe(std::string_view word);

/// What a StorageClass of csi-lvm asks for.
///
///     vgName              the volume group                                            required
///     volumeType          LVM; other kinds of open-local are refused by name           LVM
///     lvmType             linear | striping (over all disks of the group)              linear
///     stripes             over so many disks; more than 1 means striping
///     stripeSize          4Ki...1Gi, a power of two                                    64Ki
///     thinPool            a pool of the group: the volume is thin
///     thinPoolSize        10Gi...: how large to make the pool when it is not there     it must be there
///     thinProvision       true | false; true needs a thinPool
///     fsType, csi.storage.k8s.io/fstype   ext4 | ext3 | xfs                            ext4
///     mkfsOptions         words for mkfs
///     encrypted           true | false; true: LUKS2, by the passphrase of the node's secret   false
///     lvTags              up to 8 tags for the volume, comma-separated
///     wipeOnDelete        none | discard | zero                      Block: discard, file system: none
///     pvType, nodeAffinity   accepted: they direct the provisioner, not the node
///
/// Booleans are true for yes, true and 1 in any case, else false. Keys of csi.storage.k8s.io/ are others' and
/// skipped; any other key is refused, because a misspelt one would otherwise be a default.
/// Source: the drivers' documented StorageClasses; ours add thinPool, stripes and what follows it.
struct Parameters {
  std::string group;
  std::uint32_t stripes = 1;       ///< 0: all disks of the group
  std::uint64_t stripe_bytes = 0;  ///< 0: LVM's default
  std::string pool;                ///< empty: thick
  std::uint64_t pool_bytes = 0;    ///< 0: the pool must be there
  std::string fs_type = "ext4";
  std::vector<std::string> mkfs_options;
  bool encrypted = false;
  std::vector<std::string> tags;
  Wipe wipe = Wipe::kNone;
};

/// `block`: the volume is for raw block access. Errors: kInvalidArgument, naming the parameter, its value and
/// what it may be.
Result<Parameters> parse_parameters(const std::map<std::string, std::string>& given, bool block);

/// Whether mkfs may be run as asked. Not done by parse_parameters(): what asks for a class's capacity does
/// not know the file system, where that stands in the volume's capability. Errors: kInvalidArgument.
Status check_mkfs(const Parameters& parameters);

/// The room that a thick volume's snapshot gets for what changes after it.
struct SnapshotRoom {
  std::uint64_t bytes = 0;     ///< 0: by percent
  std::uint32_t percent = 20;  ///< of the volume, 1..100
};

/// What a VolumeSnapshotClass asks for: snapshotSize, a size or N%. Keys of csi.storage.k8s.io/ are skipped.
/// Errors: kInvalidArgument, as parse_parameters().
Result<SnapshotRoom> parse_snapshot_parameters(const std::map<std::string, std::string>& given);

/// A quantity of bytes as Kubernetes writes it: "50Mi", "1G", "512". Errors: kInvalidArgument.
/// Source: Kubernetes API, resource.Quantity (whole numbers and the suffixes k M G T P, Ki Mi Gi Ti Pi).
Result<std::uint64_t> parse_bytes(const std::string& text);

}  // namespace holdfast::lvm
