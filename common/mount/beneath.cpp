#include "common/mount/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <utility>

#include "common/base/text.h"

namespace holdfast::mount {
namespace {

constexpr mode_t kFolderMode = 0750;
constexpr int kTriesWhileRenamed = 16;

int call_openat2(int folder, const char* path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  // EAGAIN: somebody renamed a folder meanwhile.
  for (int tries = 0;; ++tries) {
    const long fd = ::syscall(SYS_openat2, folder, path, &how, sizeof(how));
    if (fd >= 0 || errno != EAGAIN || tries == kTriesWhileRenamed) return static_cast<int>(fd);
  }
}

bool is_link(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && S_ISLNK(info.st_mode);
}

tl::unexpected<Error> fail_open(int error, const std::string& path) {
  if (error == ELOOP || error == EXDEV || error == ENOTDIR) {
    return fail(Code::kInvalidArgument, path + ": a link or a file is in the way");
  }
  return fail_errno(error, "open " + path);
}

}  // namespace

std::string Place::path() const { return "/proc/self/fd/" + std::to_string(parent.get()) + "/" + name; }

Beneath::Beneath(std::string root, std::string real_root, Fd fd, Method method)
    : root_(std::move(root)), real_root_(std::move(real_root)), fd_(std::move(fd)), method_(method) {}

Result<Beneath> Beneath::open(const std::string& root, Method method) {
  Fd fd(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, "open " + root);
  std::array<char, PATH_MAX> real{};
  const ssize_t length =
      ::readlink(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), real.data(), real.size());
  if (length <= 0) return fail_errno(errno, "resolve " + root);
  if (method == Method::kOpenat2) {
    const Fd probe(call_openat2(fd.get(), "."));
    if (!probe.valid()) method = Method::kWalk;
  }
  std::string name = root;
  while (name.size() > 1 && name.ends_with('/')) name.pop_back();
  return Beneath(std::move(name), {real.data(), static_cast<std::size_t>(length)}, std::move(fd), method);
}

// The path below the root, "pods/x/mount", without doubled slashes.
Result<std::string> Beneath::relative(const std::string& path) const {
  const std::string prefix = root_ + "/";
  if (!path.starts_with(prefix) || path.find('\0') != std::string::npos) {
    return fail(Code::kInvalidArgument, "'" + path + "' is not below " + root_);
  }
  std::string out;
  std::string_view rest = std::string_view(path).substr(prefix.size());
  while (!rest.empty()) {
    const std::string_view part = take_until(rest, '/');
    if (part.empty()) continue;
    if (part == "." || part == "..")
      return fail(Code::kInvalidArgument, "'" + path + "' holds '" + std::string(part) + "'");
    out += (out.empty() ? "" : "/") + std::string(part);
  }
  if (out.empty()) return fail(Code::kInvalidArgument, "'" + path + "' is " + root_ + " itself");
  return out;
}

// Returns a descriptor, or -1 with errno.
int Beneath::walk(std::string_view relative) const {
  Fd here(::openat(fd_.get(), ".", O_PATH | O_CLOEXEC));
  while (here.valid() && !relative.empty()) {
    const std::string part(take_until(relative, '/'));
    Fd next(::openat(here.get(), part.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (next.valid() && is_link(next.get())) {
      errno = ELOOP;
      return -1;
    }
    here = std::move(next);
  }
  return here.release();
}

Result<std::optional<Fd>> Beneath::open_relative(std::string_view relative, const std::string& path) const {
  if (relative.empty()) relative = ".";
  Fd fd(method_ == Method::kOpenat2 ? call_openat2(fd_.get(), std::string(relative).c_str())
                                    : walk(relative));
  if (fd.valid()) return std::optional(std::move(fd));
  if (errno == ENOENT) return std::optional<Fd>{};
  return fail_open(errno, path);
}

Result<std::optional<Fd>> Beneath::find(const std::string& path) const {
  HOLDFAST_TRY(const std::string below, relative(path));
  return open_relative(below, path);
}

Result<std::optional<Place>> Beneath::place_of(const std::string& path) const {
  HOLDFAST_TRY(const std::string below, relative(path));
  const std::size_t slash = below.rfind('/');
  const bool top = slash == std::string::npos;
  HOLDFAST_TRY(std::optional<Fd> parent, open_relative(top ? "" : below.substr(0, slash), path));
  if (!parent) return std::optional<Place>{};
  return std::optional(Place{*std::move(parent), top ? below : below.substr(slash + 1)});
}

Result<Place> Beneath::make_place(const std::string& path) const {
  HOLDFAST_TRY(const std::string below, relative(path));
  for (std::size_t slash = below.find('/'); slash != std::string::npos; slash = below.find('/', slash + 1)) {
    HOLDFAST_TRY(const std::optional<Place> folder, place_of(root_ + "/" + below.substr(0, slash)));
    if (!folder) break;  // taken away by somebody; told below
    if (::mkdirat(folder->parent.get(), folder->name.c_str(), kFolderMode) != 0 && errno != EEXIST) {
      return fail_errno(errno, "make " + root_ + "/" + below.substr(0, slash));
    }
  }
  HOLDFAST_TRY(std::optional<Place> place, place_of(path));
  if (!place) return fail(Code::kUnavailable, "make the folders of " + path + ": somebody takes them away");
  return *std::move(place);
}

Result<std::string> Beneath::resolved(const std::string& path) const {
  HOLDFAST_TRY(const std::string below, relative(path));
  return (real_root_ == "/" ? "" : real_root_) + "/" + below;
}

std::string Beneath::told(const std::string& path) const {
  if (!path.starts_with(real_root_ + "/")) return path;
  return root_ + path.substr(real_root_.size());
}

}  // namespace holdfast::mount
