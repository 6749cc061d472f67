#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "common/base/result.h"

/// The file systems that a disk can have.
namespace holdfast::disk {

inline constexpr std::array<std::string_view, 4> kFileSystems{"ext4", "ext3", "xfs", "vfat"};
inline constexpr std::string_view kFileSystemsInWords = "ext4, ext3, xfs or vfat";

/// Empty: the usual one, ext4. Errors: kInvalidArgument, naming those that there are.
inline Status check_file_system(std::string_view name) {
  if (name.empty() || std::ranges::find(kFileSystems, name) != kFileSystems.end()) return {};
  return fail(Code::kInvalidArgument, "the file system '" + std::string(name) + "' is not supported: use " +
                                          std::string(kFileSystemsInWords));
}

}  // namespace holdfast::disk
