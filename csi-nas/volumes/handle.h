#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::nas {

/// What a volume's handle says of a volume that has a directory of its own on a share, so that it can be
/// deleted when nothing else is known of it any more.
///
///     nas1#<server>#<share>#<directory>#<name>
///
/// '%', '#', and bytes that are not printable ASCII stand as %XX. Handles of another shape are names of
/// PersistentVolumes, static ones and those of other makers: such a volume's directory is never deleted
/// without its PersistentVolume.
struct NasHandle {
  std::string server;     ///< "10.0.0.5"; of a list the one that it was made on
  std::string share;      ///< what is mounted, "/exports/pool"
  std::string directory;  ///< where in the share, "team/a"; empty: at its top
  std::string name;       ///< of the volume's own directory
  bool operator==(const NasHandle&) const = default;
};

/// The longest volume id. Source: CSI specification, "Size Limits".
inline constexpr std::size_t kMostHandleBytes = 128;

/// nullopt when it would be longer than kMostHandleBytes: the volume needs hashed_handle() and a record.
[[nodiscard]] std::optional<std::string> format_handle(const NasHandle& handle);
/// "nas1h#" and 64 hex digits that stand for the handle, as the key of a record of it.
[[nodiscard]] std::string hashed_handle(const NasHandle& handle);
[[nodiscard]] bool is_hashed_handle(std::string_view id);

/// nullopt for an id of another shape. Errors: kInvalidArgument for one that begins like ours and is not as
/// format_handle() writes it, or names a share or directory that no volume can be in: not absolute, or with
/// ".." or "." in it.
[[nodiscard]] Result<std::optional<NasHandle>> parse_handle(std::string_view id);

}  // namespace holdfast::nas
