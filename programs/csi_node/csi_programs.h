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

/// The program that argv[0] names: csi_lvm, csi_nas, csi_disk, or csi_node for any other name. One file with
/// four names takes 10 MB on a node's disk and in its page cache; four files took 37, nine tenths of each the
/// same.
[[nodiscard]] CsiProgram csi_program_named(std::string_view argv0);

}  // namespace holdfast
