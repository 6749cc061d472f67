#pragma once

#include <string_view>

namespace holdfast {

/// The rule that the name of a network interface breaks, "is longer than 15 bytes"; empty for a good one.
/// Stricter than the kernel about control characters, which no file or log line of ours may hold, and about
/// '%': the kernel makes another name of "br%d". Source: linux/net/core/dev.c, dev_valid_name(),
/// dev_alloc_name().
[[nodiscard]] std::string_view fault_of_link_name(std::string_view name);

}  // namespace holdfast
