#include "common/csi/unix_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace holdfast::csi {
namespace {

constexpr int kBacklog = 64;
constexpr std::int64_t kNanosecondsASecond = 1'000'000'000;
constexpr mode_t kOwnerOnly = 0600;

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un out{};
  out.sun_family = AF_UNIX;
  std::memcpy(&out.sun_path, path.c_str(), path.native().size() + 1);
  return out;
}

Result<Fd> unix_socket(const std::string& what) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail_errno(errno, what);
  return fd;
}

Status remove_stale(const std::filesystem::path& path, const std::string& what) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno(errno, what);
  }
  if (!S_ISSOCK(found.st_mode)) {
    return fail(Code::kFailedPrecondition, what + ": something that is no socket is there; move it away");
  }
  HOLDFAST_TRY(const Fd probe, unix_socket(what));
  const sockaddr_un address = address_of(path);
  const int done = ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  // EAGAIN: its backlog is full, so it has an owner
  if (done == 0 || errno == EAGAIN) {
    return fail(Code::kAlreadyExists, what + ": another program serves it; end that one first");
  }
  if (errno != ECONNREFUSED && errno != ENOENT) return fail_errno(errno, what);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, what);
  return {};
}

}  // namespace

Result<UnixListener> UnixListener::open(const std::filesystem::path& path) {
  const std::string what = "listen on " + path.native();
  if (!path.is_absolute() || path.native().size() > kMaxSocketPathBytes) {
    return fail(Code::kInvalidArgument, what + ": a socket's path is absolute and has at most " +
                                            std::to_string(kMaxSocketPathBytes) + " bytes");
  }
  HOLDFAST_CHECK(remove_stale(path, what));
  HOLDFAST_TRY(Fd fd, unix_socket(what));
  // of the socket, before it has a name: its file gets this mode at birth, less the umask
  if (::fchmod(fd.get(), kOwnerOnly) != 0) return fail_errno(errno, what);
  const sockaddr_un address = address_of(path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail_errno(errno, what);
  }
  UnixListener out(std::move(fd), path);
  HOLDFAST_TRY(out.file_, out.file_at_path());
  if (::listen(out.fd_.get(), kBacklog) != 0) return fail_errno(errno, what);
  return out;
}

UnixListener::~UnixListener() {
  if (!path_.empty() && in_place()) ::unlink(path_.c_str());
}

bool UnixListener::in_place() const {
  const Result<FileId> now = file_at_path();
  return now && *now == file_;
}

Result<UnixListener::FileId> UnixListener::file_at_path() const {
  struct stat found {};
  if (::lstat(path_.c_str(), &found) != 0) return fail_errno(errno, path_.native());
  return FileId{found.st_dev, found.st_ino,
                found.st_mtim.tv_sec * kNanosecondsASecond + found.st_mtim.tv_nsec};
}

}  // namespace holdfast::csi
