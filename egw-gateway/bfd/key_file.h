#pragma once

#include <filesystem>
#include <string_view>

#include "common/base/files.h"
#include "common/base/result.h"
#include "egw-gateway/bfd/authentication.h"

namespace holdfast::bfd {

/// Lines of a key file, "ID SECRET" each, '#' begins a comment: the first is sent with, all are accepted.
/// Errors: kInvalidArgument, naming the line, and never a secret.
[[nodiscard]] Result<Keys> parse_key_file(std::string_view text);
/// Errors: also those of read_linked_file(), naming the path.
[[nodiscard]] Result<Keys> read_key_file(Files& files, const std::filesystem::path& path);

}  // namespace holdfast::bfd
