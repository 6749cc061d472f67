#include "csi-nas/directories/share_root.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "common/base/text.h"

namespace holdfast::nas {
namespace {

constexpr int kTriesWhileRenamed = 16;
constexpr std::size_t kShown = 300;
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY;
constexpr std::string_view kMountNumber = "mnt_id:";

Fd by_openat2(int folder, const char* name, int flags) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  // EAGAIN: somebody renamed a folder meanwhile.
  for (int tries = 0;; ++tries) {
    const long fd = ::syscall(SYS_openat2, folder, name, &how, sizeof(how));
    if (fd >= 0 || errno != EAGAIN || tries == kTriesWhileRenamed) return Fd(static_cast<int>(fd));
  }
}

// Empty when the kernel does not tell it.
std::string mount_of(int fd) {
  const Fd file(::open(("/proc/self/fdinfo/" + std::to_string(fd)).c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 512> text{};
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  std::string_view rest(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!rest.empty()) {
    const std::string_view line = take_until(rest, '\n');
    if (line.starts_with(kMountNumber)) return std::string(trim(line.substr(kMountNumber.size())));
  }
  return {};
}

Fd by_name(int folder, const char* name, int flags) {
  Fd fd(::openat(folder, name, flags));
  if (!fd.valid()) return fd;
  struct stat info {};
  if ((flags & O_PATH) == 0 && ::fstat(fd.get(), &info) == 0 && S_ISLNK(info.st_mode)) {
    errno = ELOOP;
    return {};
  }
  const std::string mount = mount_of(fd.get());
  if (mount.empty() || mount != mount_of(folder)) {
    errno = EXDEV;
    return {};
  }
  return fd;
}

bool is_one_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

tl::unexpected<Error> fail_way(int error, std::string_view path) {
  if (error == ELOOP || error == ENOTDIR || error == EXDEV) {
    return fail(Code::kFailedPrecondition,
                "'" + printable(path, kShown) + "': a link, a file or another file system is in the way");
  }
  return fail_entry(error, "open", path);
}

}  // namespace

tl::unexpected<Error> fail_entry(int sys_errno, std::string_view verb, std::string_view name) {
  std::string what(verb);
  what += " '";
  what += printable(name, kShown);
  what += '\'';
  return fail_errno(sys_errno, what);
}

EntryOpener::EntryOpener(Method method) : method_(method) {
  if (method_ == Method::kByName) return;
  const Fd probe = by_openat2(AT_FDCWD, ".", O_PATH | O_CLOEXEC);
  if (!probe.valid()) method_ = Method::kByName;
}

Fd EntryOpener::open(int folder, const std::string& name, int flags) const {
  if (!is_one_name(name)) {
    errno = EINVAL;
    return {};
  }
  flags |= O_CLOEXEC | O_NOFOLLOW;
  return method_ == Method::kOpenat2 ? by_openat2(folder, name.c_str(), flags)
                                     : by_name(folder, name.c_str(), flags);
}

Result<ShareRoot> ShareRoot::open(const std::string& mounted_at, EntryOpener opener) {
  Fd fd(::open(mounted_at.c_str(), kFolderFlags | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, "open " + mounted_at);
  return ShareRoot(std::move(fd), opener);
}

bool ShareRoot::is_mount() const {
  struct stat own {};
  struct stat above {};
  return ::fstat(fd_.get(), &own) == 0 && ::fstatat(fd_.get(), "..", &above, 0) == 0 &&
         own.st_dev != above.st_dev;
}

Result<std::optional<Fd>> ShareRoot::walk(std::string_view path, const mode_t* make) const {
  Fd here(::openat(fd_.get(), ".", kFolderFlags | O_CLOEXEC));
  if (!here.valid()) return fail_entry(errno, "open", "/");
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::string name(take_until(rest, '/'));
    if (make != nullptr && ::mkdirat(here.get(), name.c_str(), *make) != 0 && errno != EEXIST) {
      return fail_entry(errno, "make", path);
    }
    Fd next = opener_.open(here.get(), name, kFolderFlags);
    if (!next.valid() && errno == ENOENT) return std::optional<Fd>{};
    if (!next.valid()) return fail_way(errno, path);
    here = std::move(next);
  }
  return std::optional(std::move(here));
}

Result<std::optional<Fd>> ShareRoot::find_folder(std::string_view path) const { return walk(path, nullptr); }

Result<Fd> ShareRoot::make_folders(std::string_view path, mode_t mode) const {
  HOLDFAST_TRY(std::optional<Fd> made, walk(path, &mode));
  if (!made)
    return fail(Code::kUnavailable, "make '" + printable(path, kShown) + "': somebody takes it away");
  return *std::move(made);
}

}  // namespace holdfast::nas
