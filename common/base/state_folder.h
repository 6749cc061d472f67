#pragma once

#include <filesystem>
#include <string_view>

#include "common/base/fd.h"
#include "common/base/files.h"
#include "common/base/result.h"

/// The folders in which programs keep what outlives them, below --state-dir. Errors name the folder and what
/// to do.
namespace holdfast {

/// Makes one, mode 0700, with its parents; one that is there succeeds. Errors: kResourceExhausted when its
/// disk is full; errno.
Status make_state_folder(Files& files, const std::filesystem::path& folder);

/// The same, and takes it for this process: by the file `lock` in it, until the Fd ends. `program` is what
/// people start. Errors: kUnavailable when another process has it.
Result<Fd> take_state_folder(Files& files, const std::filesystem::path& folder, std::string_view program);

}  // namespace holdfast
