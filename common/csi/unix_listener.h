#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <utility>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast::csi {

/// Longest path of a UNIX socket, in bytes. Source: unix(7), sun_path.
inline constexpr std::size_t kMaxSocketPathBytes = 107;

/// A listening UNIX socket and its file, mode 0600 from the moment it is there, whatever the umask.
class UnixListener {
 public:
  /// The folder is there. A socket that nobody answers on is what a killed program left, and is removed.
  /// Errors: kAlreadyExists when somebody answers there, kFailedPrecondition when the path is something else
  /// than a socket, kInvalidArgument for a path that is relative or too long, errno.
  [[nodiscard]] static Result<UnixListener> open(const std::filesystem::path& path);
  UnixListener(UnixListener&& other) noexcept
      : fd_(std::move(other.fd_)), path_(std::exchange(other.path_, {})), file_(other.file_) {}
  UnixListener& operator=(UnixListener&&) = delete;
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;
  /// Removes the file, if it still is this one's.
  ~UnixListener();

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// The file at the path is this socket's still.
  [[nodiscard]] bool in_place() const;

 private:
  struct FileId {
    dev_t device = 0;
    ino_t inode = 0;
    std::int64_t made_ns = 0;  ///< since 1970: the number of a removed file is given to the next one
    bool operator==(const FileId&) const = default;
  };
  UnixListener(Fd fd, std::filesystem::path path) : fd_(std::move(fd)), path_(std::move(path)) {}
  [[nodiscard]] Result<FileId> file_at_path() const;

  Fd fd_;
  std::filesystem::path path_;  // empty when moved from
  FileId file_;
};

}  // namespace holdfast::csi
