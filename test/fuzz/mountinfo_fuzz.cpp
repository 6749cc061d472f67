#include "common/mount/mount_table.h"
#include "test/fuzz/fuzz_text.h"

// Whatever the file holds, what is read has a target that is found again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using holdfast::fuzz::require;
  const auto mounts = holdfast::mount::parse_mountinfo(holdfast::fuzz::text_of(data, size));
  if (!mounts) return 0;
  for (const holdfast::mount::MountEntry& entry : *mounts) {
    require(entry.target.front() == '/' && !entry.type.empty());
    require(holdfast::mount::mounted_at(*mounts, entry.target) != nullptr);
  }
  return 0;
}
