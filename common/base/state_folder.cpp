#include "common/base/state_folder.h"

#include <cerrno>
#include <string>
#include <utility>

namespace holdfast {
namespace {

constexpr mode_t kMode = 0700;
constexpr std::chrono::milliseconds kLockPatience{100};

tl::unexpected<Error> with_cure(const std::filesystem::path& folder, Error error) {
  if (error.sys_errno == ENOSPC || error.sys_errno == EDQUOT) {
    error.message += "; make room in " + folder.native() + ", or name another folder by --state-dir";
  }
  return tl::unexpected(std::move(error));
}

}  // namespace

Status make_state_folder(Files& files, const std::filesystem::path& folder) {
  Status made = files.make_folders(folder, kMode);
  if (!made) return with_cure(folder, std::move(made).error());
  return {};
}

Result<Fd> take_state_folder(Files& files, const std::filesystem::path& folder, std::string_view program) {
  HOLDFAST_CHECK(make_state_folder(files, folder));
  Result<Fd> lock = files.lock(folder / "lock", kLockPatience);
  if (lock) return lock;
  if (lock.error().code != Code::kUnavailable) return with_cure(folder, std::move(lock).error());
  return fail(Code::kUnavailable, "another " + std::string(program) + " works in " + folder.native() +
                                      ": end it, or give one of them another --state-dir");
}

}  // namespace holdfast
