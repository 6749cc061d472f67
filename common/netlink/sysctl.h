#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::nl {

/// Reads or sets one value under /proc/sys of the calling thread's network namespace. `key` is the path below
/// /proc/sys with slashes ("net/ipv4/conf/cni0/arp_notify"), because interface names may hold dots.
/// set_sysctl does not write when the value is already there, so it also works where /proc/sys is read-only.
/// Errors: errno of open(2), read(2) or write(2), kNotFound for a key that this kernel does not have.
Result<std::string> get_sysctl(std::string_view key);
Status set_sysctl(std::string_view key, std::string_view value);

}  // namespace holdfast::nl
