#pragma once

#include <cstdint>
#include <filesystem>

#include "common/base/result.h"

namespace holdfast::bench {

struct ElfFile {
  std::uint64_t bytes = 0;
  bool is_static = false;  ///< asks for no interpreter, so for no shared library either
};

/// Errors: kInvalidArgument when it is no 64-bit ELF file. Source: elf(5), PT_INTERP.
Result<ElfFile> read_elf(const std::filesystem::path& path);

}  // namespace holdfast::bench
