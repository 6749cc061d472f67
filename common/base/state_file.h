#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast {

/// Puts `bytes` at `path` so that after a crash or power cut the file holds either the old or the new
/// content, whole; the new one once this has returned. A temporary file ".<name>.new" in the same folder is
/// written, synced, renamed, and the folder synced; one that a killed writer left is replaced. Two writers of
/// one path at a time need a lock: they share the temporary. Errors: errno of the call that failed; the old
/// content is kept then and the temporary removed (after a failed sync of the folder: the new content is
/// there, but not durable). Source: rename(2), fsync(2) (the folder needs its own).
Status replace_file(Files& files, const std::filesystem::path& path, std::string_view bytes,
                    mode_t mode = 0600);

/// What a state file holds. A file of another kind or version is not read.
struct StateKind {
  std::string_view name;  ///< letters, digits, '-' and '_', "subnet-lease"
  unsigned version = 1;
};

/// What read_state found.
struct StateFile {
  std::optional<std::string> content;  ///< unset when there is no file, or none that can be trusted
  std::string note;                    ///< why not, and where the damaged file is now; empty when all is well
};

inline constexpr std::size_t kMaxStateBytes = std::size_t{4} << 20;
inline constexpr unsigned kDamagedFilesKept = 3;

/// Replaces the file by one line of envelope and `content`, any text (JSON as a rule), as replace_file does:
///
///     holdfast-state <kind> v<version> <size in bytes> crc32c=<8 hex digits>
///     <content>
///
/// The checksum covers kind, version and content, so that no two kinds are taken for one another.
Status write_state(Files& files, const std::filesystem::path& path, const StateKind& kind,
                   std::string_view content);

/// Reads what write_state wrote. A torn, rotten or foreign file (also a link, a folder, one of more than
/// `max_bytes`) is moved aside to "<path>.damaged-<n>", of which the newest kDamagedFilesKept are kept, and
/// told in `note`. Errors: errno of a read that failed, which says nothing about the content.
Result<StateFile> read_state(Files& files, const std::filesystem::path& path, const StateKind& kind,
                             std::size_t max_bytes = kMaxStateBytes);

}  // namespace holdfast
