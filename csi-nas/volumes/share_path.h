#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::nas {

/// The longest path of a share that the kernel takes. Source: linux, NFS_MAXPATHLEN.
inline constexpr std::size_t kMostPathBytes = 1024;

/// A path on a server as a user wrote it, without doubled slashes, "." and a slash at its end; "/" is the
/// server's root. Errors: kInvalidArgument for one that does not begin with '/', holds "..", a control
/// character or a name of more than 255 bytes, or is longer than kMostPathBytes.
[[nodiscard]] Result<std::string> clean_path(std::string_view path);

}  // namespace holdfast::nas
