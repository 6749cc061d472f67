#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/files.h"
#include "csi-lvm/lvm/lvm.h"

/// What LVM's devices files (/etc/lvm/devices) say. Of one that is empty or damaged LVM tells no group, as if
/// there were none, and of one that is gone those of all disks: so who asks it must notice. Source:
/// lvmdevices(8).
namespace holdfast::lvm {

/// The disks that a devices file of LVM's names; nullopt when it is not there. Errors: errno of reading it.
Result<std::optional<std::set<std::string>>> disks_of(const std::string& devices_file);

/// The ids of the physical volumes that a devices file names, without hyphens. Shape: words KEY=VALUE, of
/// which PVID=... counts; any other text names none.
[[nodiscard]] std::set<std::string> disks_named_by(std::string_view text);

/// The same of all files of the folder but `ours`, and the host's own, which may name anybody's disks.
/// Errors: errno of reading the folder.
Result<std::set<std::string>> disks_of_others(Files& files, const std::filesystem::path& folder,
                                              const std::string& ours);

/// Of the disks that a devices file names those of which the inventory tells nothing: not even that a group
/// lacks them.
[[nodiscard]] std::vector<std::string> unseen_of(std::set<std::string> named, const Inventory& inventory);

/// Whether a file that names these disks now is another than the one that named `known`: it names none, or of
/// these none. Who takes groups away from us leaves others in it.
[[nodiscard]] bool is_another(const std::set<std::string>& named, const std::set<std::string>& known);

/// Whether all disks of the group that are there are of `known`.
[[nodiscard]] bool is_of(const VolumeGroup& group, const std::set<std::string>& known);

/// Groups that we do not see, although they are ours, with those of their disks that are there; and of those
/// that we see without some of their disks, whatever is in them, those disks. Pure.
/// `claimed`: disks that are another's.
[[nodiscard]] std::vector<GroupDisks> lost_groups(const Inventory& ours, const Inventory& host,
                                                  const std::set<std::string>& claimed,
                                                  const std::function<bool(const VolumeGroup&)>& is_ours);

}  // namespace holdfast::lvm
