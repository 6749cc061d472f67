#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "csi-nas/directories/progress.h"

namespace holdfast::nas {

inline constexpr mode_t kOpenMode = 0777;  ///< of a volume whose mode nobody tells: pods run as anybody

enum class DirectoryVerb : std::uint8_t { kMake, kCopy, kArchive, kRetain, kRemove };

/// What is to be done about one volume's directory (share_volumes.h), as it is told to the child that does
/// it.
struct DirectoryOrder {
  DirectoryVerb verb = DirectoryVerb::kMake;
  std::string mounted_at = {};      ///< where the share's root is mounted
  bool mounted = false;             ///< what is there must be a mount: a plain folder is not the share
  bool holds_volumes = false;       ///< volumes were made on it: what has none is not the share
  std::string directory = {};       ///< below it; checked by RelativePath::parse, unless `snapshot`
  bool snapshot = false;            ///< `directory` is the name of a snapshot
  std::string owner = {};           ///< the volume's name
  std::string source = {};          ///< kCopy: what is copied, as `directory`
  bool from_snapshot = false;       ///< `source` is the name of a snapshot
  std::optional<mode_t> mode = {};  ///< kMake: else kOpenMode; kCopy: else the source's
  std::string stamp = {};           ///< kArchive: "20261121T231500Z"
  std::string holder = {};          ///< letters and digits: who works on the share
};

/// "make", "copy", "archive", "retain", "remove"
[[nodiscard]] std::string_view to_string(DirectoryVerb verb);

/// As the words of a command, "directory=team-a/pvc-1".
[[nodiscard]] std::vector<std::string> to_words(const DirectoryOrder& order);
/// Errors: kInvalidArgument naming the word.
[[nodiscard]] Result<DirectoryOrder> parse_words(std::span<const std::string> words);

/// Does it, in this process, which may block for as long as the server is away. What the answer is about: of
/// kArchive the archive's path; else empty. Errors: those of ShareVolumes; kInvalidArgument.
Result<std::string> carry_out(const DirectoryOrder& order, Progress& progress, const ProgressSink& sink);

}  // namespace holdfast::nas
