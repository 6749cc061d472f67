#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "common/base/result.h"

namespace holdfast::disk {

/// Loop devices of this machine ("/dev/loop3"). Errors of all: errno of the call that failed, naming the
/// device. Source: loop(4).

/// Those that stand on files "*.img" right below `folder`, by the names of the files without ".img".
[[nodiscard]] Result<std::map<std::string, std::string>> loops_below(const std::filesystem::path& folder);
/// A free one stands on `image` from then on.
[[nodiscard]] Result<std::string> add_loop(const std::filesystem::path& image);
/// It stands on nothing: at once, or when the last who has it open closes it.
Status remove_loop(const std::string& device);
/// It has the size that its file has.
Status resize_loop(const std::string& device);

/// Whether a block device is mounted, or held by somebody else. Source: open(2), O_EXCL.
[[nodiscard]] Result<bool> is_device_held(const std::string& device);

}  // namespace holdfast::disk
