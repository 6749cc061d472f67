#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/result.h"

namespace holdfast::nas {

/// The folder of a share in which we keep what is ours (share_volumes.h draws it). No volume lies in one, nor
/// in that of another share which the share holds.
inline constexpr std::string_view kOwnFolder = ".holdfast";
inline constexpr std::size_t kMaxNameBytes = 255;   ///< NAME_MAX of Linux and of NFS servers
inline constexpr std::size_t kMaxPathBytes = 4000;  ///< leaves room for a mount point within PATH_MAX

/// The way from a share's root to a directory below it, "team-a/pvc-1".
class RelativePath {
 public:
  /// Slashes at the ends and doubled ones are dropped. Errors: kInvalidArgument, with the text and the cure,
  /// for the root itself, "." or "..", a zero byte, a name or path that is too long, and kOwnFolder.
  [[nodiscard]] static Result<RelativePath> parse(std::string_view text);

  /// Where the snapshot of that name lies, in kOwnFolder. A name that is none of a file's is told by a hash.
  [[nodiscard]] static RelativePath of_snapshot(std::string_view name);

  [[nodiscard]] const std::string& text() const { return text_; }
  /// Whether it is of_snapshot()'s.
  [[nodiscard]] bool is_snapshot() const;
  /// "team-a"; empty for a directory right below the root.
  [[nodiscard]] std::string parent() const;
  /// "pvc-1"
  [[nodiscard]] std::string name() const;

  friend auto operator<=>(const RelativePath&, const RelativePath&) = default;

 private:
  explicit RelativePath(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace holdfast::nas
