#pragma once

#include <string>
#include <vector>

#include "csi-lvm/lvm/commands_lvm.h"

/// What the tests share that run on LVM itself, in the guest that test/kernel/guest/lvm.sh prepares.
namespace holdfast::lvm::test {

/// The guest has no udevd.
[[nodiscard]] LvmSettings guest_settings();

/// In the folder that HOLDFAST_BIN names.
[[nodiscard]] std::string lvmcmd_path();

/// Those that HOLDFAST_SPARE_DISKS names, separated by blanks.
[[nodiscard]] std::vector<std::string> spare_disks();

/// Removes all volumes of the contract's group. Throws when it cannot.
void empty_group(Lvm& lvm);

}  // namespace holdfast::lvm::test
