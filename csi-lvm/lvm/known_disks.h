#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "common/base/files.h"
#include "common/base/result.h"

/// The disks that our devices file named last, as it named any: by these a group is known to be ours that has
/// no volume, when the file was emptied, is gone, or was made anew with other disks.
namespace holdfast::lvm {

/// Ids of physical volumes without hyphens; none where nothing was kept, or what was cannot be trusted.
/// Errors: errno of reading it.
Result<std::set<std::string>> load_known_disks(Files& files, const std::filesystem::path& path);

/// Shape: a state file (common/base/state_file.h) of an id a line. Errors: as write_state().
Status save_known_disks(Files& files, const std::filesystem::path& path, const std::set<std::string>& ids);

}  // namespace holdfast::lvm
