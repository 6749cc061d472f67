#pragma once

#include <filesystem>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/files.h"

namespace holdfast::gateway {

/// What flanneld is not to masquerade: <folder>/egw-helper, a CIDR a line (flanneld's --no-masq-dir). The
/// folder is gone with a reboot.
inline constexpr const char* kNoMasqueradeFile = "egw-helper";

/// Returns whether something was changed; no ranges: the file is removed. Errors: errno.
Result<bool> put_no_masquerade(Files& files, const std::filesystem::path& folder,
                               const std::vector<Cidr>& ranges);

}  // namespace holdfast::gateway
