#pragma once

#include <ostream>
#include <span>
#include <string>

#include "common/base/flags.h"

namespace holdfast::disk {

/// The program csi-disk, but for its main(): serves the driver until SIGTERM or SIGINT. Answers the exit
/// status: 0; 1 when it could not go on, which is logged to stderr; 2 for wrong flags.
int csi_disk(std::span<const std::string> arguments, const Flags::Lookup& environment, std::ostream& out,
             std::ostream& error);

}  // namespace holdfast::disk
