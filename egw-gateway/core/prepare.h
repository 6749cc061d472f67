#pragma once

#include <filesystem>

#include "common/base/result.h"

namespace holdfast::gateway {

/// Makes the TUN device where it is not: a container of its own has none. Again: does nothing. Errors: errno
/// of mkdir(2) or mknod(2); kFailedPrecondition when something else is there. Source:
/// Documentation/networking/tuntap.rst.
[[nodiscard]] Status make_tun_device(const std::filesystem::path& path = "/dev/net/tun");

}  // namespace holdfast::gateway
