#include "test/bench/cni/elf_file.h"

#include <elf.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

namespace holdfast::bench {

Result<ElfFile> read_elf(const std::filesystem::path& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  const std::string bytes = content.str();
  Elf64_Ehdr header{};
  const bool is_elf =
      bytes.size() > sizeof header && bytes.compare(0, SELFMAG, ELFMAG) == 0 && bytes[EI_CLASS] == ELFCLASS64;
  if (!is_elf) return fail(Code::kInvalidArgument, path.string() + " is not a 64-bit ELF file");
  std::memcpy(&header, bytes.data(), sizeof header);
  ElfFile elf{.bytes = bytes.size(), .is_static = true};
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    const std::size_t at = header.e_phoff + i * sizeof(Elf64_Phdr);
    Elf64_Phdr segment{};
    if (at + sizeof segment > bytes.size())
      return fail(Code::kInvalidArgument, path.string() + " is cut short");
    std::memcpy(&segment, bytes.data() + at, sizeof segment);
    if (segment.p_type == PT_INTERP) elf.is_static = false;
  }
  return elf;
}

}  // namespace holdfast::bench
