#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "csi-nas/directories/progress.h"

namespace holdfast::nas {

/// What a child tells of its work, in a file that it holds locked (flock(2)) as long as it lives:
///
///     holdfast-job v1 crc32c=<8 hex digits> {"state":"running","entries":12,"bytes":0,...}   padded with blanks
struct JobRecord {
  enum class State : std::uint8_t { kRunning, kDone, kFailed };
  State state = State::kRunning;
  std::string lane = {};  ///< whose turn it takes, as of DirectoryJobs
  std::string work = {};  ///< "remove team-a/pvc-1", for people
  Progress progress = {};
  std::string answer = {};  ///< kDone: as of carry_out
  Error error = {};         ///< kFailed
};

/// Always of the same size, so that it is written in one piece over the one before.
[[nodiscard]] std::string to_text(const JobRecord& record);
/// nullopt for what is torn, or none of ours.
[[nodiscard]] std::optional<JobRecord> parse_record(std::string_view text);

/// To the beginning of an open file. Errors: errno.
Status write_record(int file, const JobRecord& record);
/// Errors: errno. nullopt as of parse_record.
[[nodiscard]] Result<std::optional<JobRecord>> read_record(int file);

}  // namespace holdfast::nas
