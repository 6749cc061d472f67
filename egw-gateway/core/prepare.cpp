#include "egw-gateway/core/prepare.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace holdfast::gateway {
namespace {

constexpr unsigned kTunMajor = 10;
constexpr unsigned kTunMinor = 200;
constexpr mode_t kEverybody = 0666;

}  // namespace

Status make_tun_device(const std::filesystem::path& path) {
  std::error_code failed;
  std::filesystem::create_directories(path.parent_path(), failed);
  if (failed) return fail_errno(failed.value(), "make " + path.parent_path().native());
  const dev_t device = makedev(kTunMajor, kTunMinor);
  if (::mknod(path.c_str(), S_IFCHR | kEverybody, device) == 0) {
    if (::chmod(path.c_str(), kEverybody) == 0) return {};
    return fail_errno(errno, "let everybody use " + path.native());
  }
  if (errno != EEXIST) return fail_errno(errno, "make " + path.native());
  struct stat there {};
  if (::stat(path.c_str(), &there) != 0) return fail_errno(errno, "look at " + path.native());
  if (S_ISCHR(there.st_mode) && there.st_rdev == device) return {};
  return fail(Code::kFailedPrecondition,
              path.native() + " is not the TUN device; take it away, and start the pod again");
}

}  // namespace holdfast::gateway
