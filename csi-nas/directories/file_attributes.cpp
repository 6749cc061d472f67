#include "csi-nas/directories/file_attributes.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

#include "common/base/text.h"

namespace holdfast::nas {
namespace {

constexpr std::string_view kLabel = "security.selinux";
constexpr mode_t kModeBits = 07777;
constexpr std::size_t kMostNames = std::size_t{64} << 10;  // XATTR_LIST_MAX
constexpr std::size_t kMostValue = std::size_t{64} << 10;  // XATTR_SIZE_MAX

bool is_unable(int error) { return error == EOPNOTSUPP || error == ENOSYS; }

std::array<timespec, 2> times_of(const struct stat& info) { return {info.st_atim, info.st_mtim}; }

tl::unexpected<Error> fail_owner(int error) {
  if (error != EPERM) return fail_errno(error, "set the owner");
  return fail(Code::kPermissionDenied,
              "set the owner: the server does not let root do it; export the share with no_root_squash");
}

Status copy_attribute(int source, int target, const std::string& name) {
  std::vector<char> value(kMostValue);
  const ssize_t size = ::fgetxattr(source, name.c_str(), value.data(), value.size());
  if (size < 0 && (errno == ENODATA || is_unable(errno))) return {};
  if (size < 0) return fail_errno(errno, "read the attribute " + printable(name, kMostNames));
  if (::fsetxattr(target, name.c_str(), value.data(), static_cast<std::size_t>(size), 0) == 0) return {};
  if (is_unable(errno)) return {};
  return fail_errno(errno, "set the attribute " + printable(name, kMostNames));
}

Status copy_extended(int source, int target) {
  const ssize_t known = ::flistxattr(source, nullptr, 0);
  if (known <= 0) return {};
  std::vector<char> names(kMostNames);
  const ssize_t size = ::flistxattr(source, names.data(), names.size());
  if (size < 0) return fail_errno(errno, "list the attributes");
  std::string_view rest(names.data(), static_cast<std::size_t>(size));
  while (!rest.empty()) {
    const std::string name(take_until(rest, '\0'));
    if (name != kLabel) HOLDFAST_CHECK(copy_attribute(source, target, name));
  }
  return {};
}

}  // namespace

Status copy_attributes(int source, const struct stat& as, int target) {
  if (::fchown(target, as.st_uid, as.st_gid) != 0) return fail_owner(errno);
  HOLDFAST_CHECK(copy_extended(source, target));
  if (::fchmod(target, as.st_mode & kModeBits) != 0) return fail_errno(errno, "set the mode");
  // Content first: the time tells that all before it is there.
  if (S_ISREG(as.st_mode) && ::fsync(target) != 0) return fail_errno(errno, "write to the disk");
  if (::futimens(target, times_of(as).data()) != 0) return fail_errno(errno, "set the times");
  return {};
}

Status copy_entry_attributes(const struct stat& as, int target, const std::string& name) {
  if (::fchownat(target, name.c_str(), as.st_uid, as.st_gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail_owner(errno);
  }
  if (!S_ISLNK(as.st_mode) && ::fchmodat(target, name.c_str(), as.st_mode & kModeBits, 0) != 0) {
    return fail_errno(errno, "set the mode");
  }
  if (::utimensat(target, name.c_str(), times_of(as).data(), AT_SYMLINK_NOFOLLOW) != 0) {
    return fail_errno(errno, "set the times");
  }
  return {};
}

bool is_whole_copy(const struct stat& source, const struct stat& copy) {
  return source.st_mode == copy.st_mode && source.st_uid == copy.st_uid && source.st_gid == copy.st_gid &&
         (!S_ISREG(source.st_mode) || source.st_size == copy.st_size) &&
         source.st_mtim.tv_sec == copy.st_mtim.tv_sec && source.st_mtim.tv_nsec == copy.st_mtim.tv_nsec;
}

}  // namespace holdfast::nas
