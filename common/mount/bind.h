#pragma once

#include <string>

#include "common/base/result.h"

namespace holdfast::mount {

enum class BindMethod : std::uint8_t {
  kAside,    ///< open_tree(2), mount_setattr(2), move_mount(2): read-only before anybody sees it
  kInPlace,  ///< mount(2) twice, before Linux 5.12
};

/// kAside where this kernel has it.
[[nodiscard]] BindMethod best_bind_method();

/// Shows `source`, a folder or file of one mount (what is mounted below it is left out), at `target`. Both
/// are O_PATH descriptors. Propagates as the target's parent does. Errors: errno, naming `target_name`; after
/// a failure nothing is mounted.
Status bind(int source, int target, bool read_only, BindMethod method, const std::string& target_name);

}  // namespace holdfast::mount
