#pragma once

#include <ostream>
#include <span>
#include <string>
#include <string_view>

#include "common/base/flags.h"

namespace holdfast {

/// What the main() of a CSI driver calls; as lvm::csi_lvm().
using CsiProgram = int (*)(std::span<const std::string> arguments, const Flags::Lookup& environment,
                           std::ostream& out, std::ostream& error);

/// csi_lvm, csi_nas or csi_disk when the last part of the path has their name, else csi_node. The four are
/// one file with four names, as nine tenths of each alone would be what all have in it: 10 MB on a node's
/// disk and in its page cache, not 37.
[[nodiscard]] CsiProgram csi_program_named(std::string_view path);

}  // namespace holdfast
