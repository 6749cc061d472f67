#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast {

/// What our stores do to a file system. One implementation makes the system calls (PosixFiles); the tests'
/// one records every call and can rebuild what a power cut would have left (test/fakes/recording_files.h).
/// Hence "changed" and "durable" are separate calls here: nothing is durable before sync_file / sync_folder.
///
/// No call follows a symbolic link in the last path component; all open with O_CLOEXEC.
/// Errors: errno of the failed call with the path in the message.
class Files {
 public:
  Files() = default;
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
  virtual ~Files() = default;

  /// The content, or nullopt when nothing is there.
  /// Errors: kFailedPrecondition when it is not a regular file or longer than `max_bytes`.
  virtual Result<std::optional<std::string>> read(const std::filesystem::path& path,
                                                  std::size_t max_bytes) = 0;
  /// Names in a folder, without "." and "..", in no order; none when the folder is absent.
  virtual Result<std::vector<std::string>> list(const std::filesystem::path& folder) = 0;

  /// Makes a file that must not exist (O_EXCL) and writes it whole. On failure it is removed again.
  virtual Status create(const std::filesystem::path& path, std::string_view bytes, mode_t mode) = 0;
  /// Adds to the end of a file, which is made with `mode` when absent. On failure what was added is cut off
  /// again; so two writers of one file need a lock.
  virtual Status append(const std::filesystem::path& path, std::string_view bytes, mode_t mode) = 0;
  /// Replaces the content in place; the file is made with `mode` when absent. A kill in between leaves the
  /// new bytes before what was there: only for content that may be torn, at a fraction of what create and
  /// rename cost.
  virtual Status overwrite(const std::filesystem::path& path, std::string_view bytes, mode_t mode) = 0;
  virtual Status truncate(const std::filesystem::path& path, std::size_t bytes) = 0;
  /// Makes the content of a file durable (fdatasync(2)), not its name.
  virtual Status sync_file(const std::filesystem::path& path) = 0;
  /// Makes the names in a folder durable (fsync(2) of the folder).
  virtual Status sync_folder(const std::filesystem::path& folder) = 0;
  /// Replaces `to` if it is there. Source: rename(2).
  virtual Status rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  /// Errors: kAlreadyExists when `to` is there. Source: renameat2(2), RENAME_NOREPLACE.
  virtual Status rename_new(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  /// Removing what is not there succeeds, on a read-only file system too.
  virtual Status remove(const std::filesystem::path& path) = 0;
  /// Makes one folder and its missing parents; one that is there succeeds and keeps its mode. What was made
  /// is durable when the call returns (a store's folder is made once in a node's life). Errors:
  /// kFailedPrecondition when something else than a folder is there.
  virtual Status make_folders(const std::filesystem::path& folder, mode_t mode) = 0;

  /// Takes flock(2) LOCK_EX on `path`, which is made (0600) when absent; the lock ends with the Fd.
  /// One that is there can be taken on a read-only file system too.
  /// Errors: kUnavailable when another process still holds it after `patience`.
  virtual Result<Fd> lock(const std::filesystem::path& path, std::chrono::milliseconds patience) = 0;
};

/// The real one. Stateless; may be used from any thread.
class PosixFiles final : public Files {
 public:
  Result<std::optional<std::string>> read(const std::filesystem::path& path, std::size_t max_bytes) override;
  Result<std::vector<std::string>> list(const std::filesystem::path& folder) override;
  Status create(const std::filesystem::path& path, std::string_view bytes, mode_t mode) override;
  Status append(const std::filesystem::path& path, std::string_view bytes, mode_t mode) override;
  Status overwrite(const std::filesystem::path& path, std::string_view bytes, mode_t mode) override;
  Status truncate(const std::filesystem::path& path, std::size_t bytes) override;
  Status sync_file(const std::filesystem::path& path) override;
  Status sync_folder(const std::filesystem::path& folder) override;
  Status rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Status rename_new(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Status remove(const std::filesystem::path& path) override;
  Status make_folders(const std::filesystem::path& folder, mode_t mode) override;
  Result<Fd> lock(const std::filesystem::path& path, std::chrono::milliseconds patience) override;
};

}  // namespace holdfast
