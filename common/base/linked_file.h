#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast {

/// The content of a file that may be reached by symbolic links, as the files are which kubelet mounts into
/// pods and replaces by turning a link. Errors: kNotFound when nothing is there; those of Files::read.
[[nodiscard]] Result<std::string> read_linked_file(Files& files, const std::filesystem::path& path,
                                                   std::size_t max_bytes);

}  // namespace holdfast
