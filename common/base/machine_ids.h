#pragma once

#include <filesystem>
#include <string>

#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast {

/// The kernel's name for this boot, a UUID in lower case: another one means that everything in memory is
/// gone. Errors: errno of the read, kNotFound, kDataLoss when it is no UUID. Source: random(4).
Result<std::string> read_boot_id(Files& files,
                                 const std::filesystem::path& path = "/proc/sys/kernel/random/boot_id");

/// The installation's name, 32 lower-case hex digits; cloned disks share it.
/// Errors: as read_boot_id.
/// Source: machine-id(5).
Result<std::string> read_machine_id(Files& files, const std::filesystem::path& path = "/etc/machine-id");

}  // namespace holdfast
