#pragma once

#include <chrono>
#include <string>

#include "common/base/result.h"

namespace holdfast::bench {

/// Deletes a link with one RTM_DELLINK on a plain netlink socket and returns how long the kernel took to
/// answer. No library, no process: nothing that deletes a link and waits for the answer can be faster.
Result<std::chrono::nanoseconds> bare_delete(const std::string& link);

}  // namespace holdfast::bench
