#include "csi-nas/mounts/rpc_slots.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string>
#include <system_error>

#include "common/base/fd.h"

namespace holdfast::nas {
namespace {

Status raise(const std::filesystem::path& path, std::uint32_t slots) {
  const Fd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) {
    return fail(Code::kFailedPrecondition,
                path.native() + " is not there: load the modules nfsv3 and nfsv4 before");
  }
  if (!file.valid()) return fail_errno(errno, "open " + path.native());
  std::array<char, 32> text{};
  const ssize_t count = ::pread(file.get(), text.data(), text.size(), 0);
  if (count < 0) return fail_errno(errno, "read " + path.native());
  std::uint32_t now = 0;
  if (std::from_chars(text.data(), text.data() + count, now).ec != std::errc()) {
    return fail(Code::kInternal, path.native() + " holds no number");
  }
  if (now >= slots) return {};
  const std::string wanted = std::to_string(slots) + "\n";
  const bool written = ::pwrite(file.get(), wanted.data(), wanted.size(), 0) >= 0;
  return written ? Status{} : Status(fail_errno(errno, "write " + path.native()));
}

}  // namespace

Status raise_rpc_slots(std::uint32_t slots, const std::filesystem::path& folder) {
  // The limit first: the kernel refuses a number beyond it.
  HOLDFAST_CHECK(raise(folder / "tcp_max_slot_table_entries", slots));
  return raise(folder / "tcp_slot_table_entries", slots);
}

}  // namespace holdfast::nas
