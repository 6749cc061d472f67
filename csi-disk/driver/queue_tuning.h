#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "csi-disk/volumes/queue_settings.h"

namespace holdfast::disk {

/// Sets them on the disk of this kernel name, in order. Errors: errno, naming the file; kInvalidArgument
/// where the kernel does not take the value.
Status apply(const std::vector<QueueSetting>& settings, const std::string& disk,
             const std::filesystem::path& sys = "/sys");

}  // namespace holdfast::disk
