#pragma once

#include <string>

namespace holdfast::nas {

/// Gives a folder another name, and never replaces anything but, where the file system knows no
/// RENAME_NOREPLACE (NFS does not), an empty folder that was made in the same moment: a folder cannot replace
/// what is not an empty folder. Returns 0 or the errno; EEXIST when the name is taken. Source: rename(2).
[[nodiscard]] int rename_new(int from_folder, const std::string& from, int to_folder, const std::string& to);

}  // namespace holdfast::nas
