#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "common/base/state_file.h"
#include "test/fakes/temporary_folder.h"

namespace {

constexpr holdfast::StateKind kKind{"fuzz", 1};

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

}  // namespace

// Bytes that are not a state file are never trusted and are moved aside; a content that is trusted is the one
// that writes the very same bytes; and every content comes back as it was written.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const holdfast::test::TemporaryFolder folder;
  const std::string_view bytes(static_cast<const char*>(static_cast<const void*>(data)), size);
  const std::filesystem::path path = folder / "state";
  holdfast::PosixFiles files;
  require(files.create(path, bytes, 0600).has_value());
  const auto read = holdfast::read_state(files, path, kKind);
  require(read.has_value() && read->content.has_value() == read->note.empty());
  require(std::filesystem::exists(path) == read->content.has_value());
  const std::string content = read->content ? *read->content : std::string(bytes);
  require(holdfast::write_state(files, path, kKind, content).has_value());
  if (read->content) {
    require(files.read(path, size + 1).value() == bytes);
  }
  require(holdfast::read_state(files, path, kKind).value().content == content);
  require(files.remove(path).has_value());
  return 0;
}
