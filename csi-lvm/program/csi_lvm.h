#pragma once

#include <ostream>
#include <span>
#include <string>

#include "common/base/flags.h"

namespace holdfast::lvm {

/// The program csi-lvm, but for its main(): runs until SIGTERM or SIGINT, which leave volumes and mounts as
/// they are. Returns the exit status: 0; 1 when it cannot go on; 2 for flags that are wrong, which `error`
/// tells of.
int csi_lvm(std::span<const std::string> arguments, const Flags::Lookup& environment, std::ostream& out,
            std::ostream& error);

}  // namespace holdfast::lvm
