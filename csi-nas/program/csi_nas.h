#pragma once

#include <ostream>
#include <span>
#include <string>

#include "common/base/flags.h"

namespace holdfast::nas {

/// The program csi-nas, but for its main(): runs until SIGTERM or SIGINT, which leave mounts as they are.
/// Returns the exit status: 0; 1 when it cannot go on; 2 for flags that are wrong, which `error` tells of.
int csi_nas(std::span<const std::string> arguments, const Flags::Lookup& environment, std::ostream& out,
            std::ostream& error);

}  // namespace holdfast::nas
