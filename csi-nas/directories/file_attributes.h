#pragma once

#include <sys/stat.h>

#include <string>

#include "common/base/result.h"

namespace holdfast::nas {

/// Gives an open file or folder the owner, the extended attributes, the mode and the times of another, in
/// this order, each of which would undo one before it if it came earlier. Attributes that the file system
/// does not take are left out, as is the label of SELinux. Errors: errno; kPermissionDenied for an owner that
/// the server refuses tells what the export needs.
Status copy_attributes(int source, const struct stat& as, int target);

/// The same for what is never opened (a link, a pipe, a device), without extended attributes. `name` is an
/// entry of the folder `target`.
Status copy_entry_attributes(const struct stat& as, int target, const std::string& name);

/// Whether `copy` is `source` copied to its end: content was written before owner, mode and, last, the time.
[[nodiscard]] bool is_whole_copy(const struct stat& source, const struct stat& copy);

}  // namespace holdfast::nas
