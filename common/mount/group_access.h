#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "common/base/result.h"

namespace holdfast::mount {

/// Lets a group read and write a volume, as kubelet does for a pod's fsGroup: everything on it belongs to the
/// group and can be read and written by it, and what is made in its folders later belongs to it too (setgid).
/// Nothing is done when the folder at the top says that it is so already; that one is changed last, so that a
/// walk that was cut off is made again. Only what is on the file system of `folder` is changed, and no link
/// is followed, as programs of pods may be at work in it.
///
/// Errors: kAborted when `cancelled` says so: call again; kOutOfRange for folders nested deeper than
/// kMostNestedFolders; errno.
Status give_to_group(const std::string& folder, gid_t group, const std::function<bool()>& cancelled);

inline constexpr int kMostNestedFolders = 256;

}  // namespace holdfast::mount
