#include "common/base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <thread>

namespace holdfast {
namespace {

namespace fs = std::filesystem;

// O_NONBLOCK: a FIFO put where a file is expected gives an answer instead of a wait; files do not notice it.
constexpr int kOpenFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

constexpr std::chrono::microseconds kShortestLockWait{200};
constexpr std::chrono::microseconds kLongestLockWait{2000};

tl::unexpected<Error> fail_path(int sys_errno, std::string_view verb, const fs::path& path) {
  std::string what(verb);
  what += ' ';
  what += path.native();
  return fail_errno(sys_errno, what);
}

tl::unexpected<Error> fail_state(std::string_view verb, const fs::path& path, std::string_view why) {
  std::string message(verb);
  message += ' ';
  message += path.native();
  message += ": ";
  message += why;
  return fail(Code::kFailedPrecondition, std::move(message));
}

Result<Fd> open_at(std::string_view verb, const fs::path& path, int flags, mode_t mode = 0) {
  Fd fd(::open(path.c_str(), flags | kOpenFlags, mode));
  if (!fd.valid()) {
    return fail_path(errno, verb, path);
  }
  return fd;
}

// Cuts off the part of an append that was written before it failed. The end of this descriptor's last write
// is its offset (O_APPEND). A failure leaves a torn tail, which readers of logs must expect after a power cut
// anyway.
void undo_append(int fd, std::size_t written) {
  const off_t end = ::lseek(fd, 0, SEEK_CUR);
  if (written > 0 && end >= static_cast<off_t>(written)) {
    static_cast<void>(::ftruncate(fd, end - static_cast<off_t>(written)) == 0);
  }
}

// Reads to the end of the file. A regular file whose stat(2) tells its size needs one call, because a read
// that is shorter than asked for is the end; files of proc(5) tell 0 and are read until nothing comes.
Result<std::string> read_to_end(int fd, const fs::path& path, std::size_t size, std::size_t max_bytes) {
  constexpr std::size_t kUnknownSizeStep = 4096;
  std::string bytes;
  std::size_t used = 0;
  std::size_t wanted = size == 0 ? kUnknownSizeStep : size + 1;
  while (true) {
    bytes.resize(used + wanted);
    const ssize_t n = ::read(fd, bytes.data() + used, wanted);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return fail_path(errno, "read", path);
    }
    used += static_cast<std::size_t>(n);
    if (used > max_bytes) {
      return fail_state("read", path, "longer than " + std::to_string(max_bytes) + " bytes");
    }
    if (n == 0 || (size != 0 && static_cast<std::size_t>(n) < wanted)) {
      bytes.resize(used);
      return bytes;
    }
    wanted = kUnknownSizeStep;
  }
}

void add_names(std::string_view entries, std::vector<std::string>& names) {
  while (!entries.empty()) {
    // The buffer is aligned for dirent64 and the kernel pads every record.
    const auto* entry = static_cast<const dirent64*>(static_cast<const void*>(entries.data()));
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      names.emplace_back(name);
    }
    entries.remove_prefix(entry->d_reclen);
  }
}

bool is_folder(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// A read-only file system refuses to remove a name before it looks whether there is one.
bool is_absent(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) != 0 && errno == ENOENT;
}

// flock(2) needs no right to write, so whoever only reads has its lock on a read-only file system too.
Result<Fd> open_lock(const fs::path& path) {
  auto fd = open_at("lock", path, O_RDWR | O_CREAT, 0600);
  if (fd || fd.error().sys_errno != EROFS) {
    return fd;
  }
  auto readable = open_at("lock", path, O_RDONLY, 0);
  return readable ? std::move(readable) : std::move(fd);
}

}  // namespace

Result<std::optional<std::string>> PosixFiles::read(const fs::path& path, std::size_t max_bytes) {
  const Fd fd(::open(path.c_str(), O_RDONLY | kOpenFlags));
  if (!fd.valid()) {
    if (errno == ENOENT) {
      return std::nullopt;
    }
    if (errno == ELOOP) {
      return fail_state("read", path, "not a regular file");
    }
    return fail_path(errno, "read", path);
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) {
    return fail_path(errno, "read", path);
  }
  if (!S_ISREG(info.st_mode)) {
    return fail_state("read", path, "not a regular file");
  }
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size > max_bytes) {
    return fail_state("read", path, "longer than " + std::to_string(max_bytes) + " bytes");
  }
  HOLDFAST_TRY(std::string bytes, read_to_end(fd.get(), path, size, max_bytes));
  return bytes;
}

Result<std::vector<std::string>> PosixFiles::list(const fs::path& folder) {
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | kOpenFlags));
  std::vector<std::string> names;
  if (!fd.valid()) {
    if (errno == ENOENT) {
      return names;
    }
    return fail_path(errno, "list", folder);
  }
  // getdents64(2) instead of opendir(3), which makes two more system calls and allocates.
  alignas(dirent64) std::array<char, std::size_t{16} * 1024> buffer{};
  while (true) {
    const ssize_t n = ::getdents64(fd.get(), buffer.data(), buffer.size());
    if (n < 0) {
      return fail_path(errno, "list", folder);
    }
    if (n == 0) {
      return names;
    }
    add_names(std::string_view(buffer.data(), static_cast<std::size_t>(n)), names);
  }
}

Status PosixFiles::create(const fs::path& path, std::string_view bytes, mode_t mode) {
  HOLDFAST_TRY(const Fd fd, open_at("create", path, O_WRONLY | O_CREAT | O_EXCL, mode));
  std::size_t written = 0;
  if (const int error = write_all(fd.get(), bytes, written); error != 0) {
    ::unlink(path.c_str());
    return fail_path(error, "write", path);
  }
  return {};
}

Status PosixFiles::append(const fs::path& path, std::string_view bytes, mode_t mode) {
  HOLDFAST_TRY(const Fd fd, open_at("append to", path, O_WRONLY | O_CREAT | O_APPEND, mode));
  std::size_t written = 0;
  if (const int error = write_all(fd.get(), bytes, written); error != 0) {
    undo_append(fd.get(), written);
    return fail_path(error, "append to", path);
  }
  return {};
}

// Not O_TRUNC: ext4 writes a file that was truncated to disk when it is closed (auto_da_alloc).
Status PosixFiles::overwrite(const fs::path& path, std::string_view bytes, mode_t mode) {
  HOLDFAST_TRY(const Fd fd, open_at("write", path, O_WRONLY | O_CREAT, mode));
  std::size_t written = 0;
  if (const int error = write_all(fd.get(), bytes, written); error != 0) {
    return fail_path(error, "write", path);
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) {
    return fail_path(errno, "write", path);
  }
  const auto size = static_cast<off_t>(bytes.size());
  if (info.st_size > size && ::ftruncate(fd.get(), size) != 0) {
    return fail_path(errno, "truncate", path);
  }
  return {};
}

Status PosixFiles::truncate(const fs::path& path, std::size_t bytes) {
  HOLDFAST_TRY(const Fd fd, open_at("truncate", path, O_WRONLY));
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) {
    return fail_path(errno, "truncate", path);
  }
  return {};
}

Status PosixFiles::sync_file(const fs::path& path) {
  HOLDFAST_TRY(const Fd fd, open_at("sync", path, O_RDONLY));
  if (::fdatasync(fd.get()) != 0) {
    return fail_path(errno, "sync", path);
  }
  return {};
}

Status PosixFiles::sync_folder(const fs::path& folder) {
  HOLDFAST_TRY(const Fd fd, open_at("sync", folder, O_RDONLY | O_DIRECTORY));
  if (::fsync(fd.get()) != 0) {
    return fail_path(errno, "sync", folder);
  }
  return {};
}

Status PosixFiles::rename(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return fail_path(errno, "rename " + from.native() + " to", to);
  }
  return {};
}

Status PosixFiles::rename_new(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
    return fail_path(errno, "rename " + from.native() + " to", to);
  }
  return {};
}

Status PosixFiles::remove(const fs::path& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) {
    return {};
  }
  const int refused = errno;
  if (refused == EROFS && is_absent(path)) {
    return {};
  }
  return fail_path(refused, "remove", path);
}

Status PosixFiles::make_folders(const fs::path& folder, mode_t mode) {
  const fs::path wanted = folder.has_filename() ? folder : folder.parent_path();  // "a/b/" is "a/b"
  const fs::path parent = wanted.has_parent_path() ? wanted.parent_path() : fs::path(".");
  if (::mkdir(wanted.c_str(), mode) != 0) {
    if (errno == EEXIST) {
      return is_folder(wanted) ? Status{} : Status(fail_state("make folder", wanted, "not a folder"));
    }
    if (errno != ENOENT || parent == wanted) {
      return fail_path(errno, "make folder", wanted);
    }
    HOLDFAST_CHECK(make_folders(parent, mode));
    if (::mkdir(wanted.c_str(), mode) != 0 && errno != EEXIST) {
      return fail_path(errno, "make folder", wanted);
    }
  }
  return sync_folder(parent / ".");  // the parent itself may be a link, "/var/lib/cni" on another disk
}

Result<Fd> PosixFiles::lock(const fs::path& path, std::chrono::milliseconds patience) {
  HOLDFAST_TRY(Fd fd, open_lock(path));
  const auto deadline = std::chrono::steady_clock::now() + patience;
  auto wait = kShortestLockWait;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return fail_path(errno, "lock", path);
    }
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) {
      return fail(Code::kUnavailable, "lock " + path.native() + ": held by another process for more than " +
                                          std::to_string(patience.count()) + " ms");
    }
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(left, wait));
    wait = std::min(wait * 2, kLongestLockWait);
  }
  return fd;
}

}  // namespace holdfast
