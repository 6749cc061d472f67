#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/base/result.h"
#include "common/block/volume_stats.h"

namespace holdfast::nas {

using Usages = std::map<std::string, block::VolumeUsage>;  ///< by volume

/// The last usage that was seen of each volume, in a file: what a volume is told to hold when the driver was
/// started anew while its server is dead.
///
///     <state folder>/nas-usage/<driver>    a state file (common/base/state_file.h), JSON:
///                                          {"volumes": {"pv-1": [total, available, used bytes,
///                                                                total, available, used inodes]}}
///
/// The folder must not be on NFS. One thread at a time.
class UsageRecord {
 public:
  /// `files` and `clock` outlive it.
  UsageRecord(Files& files, Clock& clock, std::filesystem::path path);

  /// None when there is no file, or none that can be trusted. Errors: errno of a read that failed.
  Result<Usages> read();
  /// Writes them when other volumes have a usage than in the file, and when usages have changed once in
  /// kInterval. Errors: errno; it is tried again by the next call.
  Status keep(const Usages& usages);

  static constexpr std::chrono::minutes kInterval{1};

 private:
  [[nodiscard]] bool is_due(const Usages& usages) const;

  Files& files_;
  Clock& clock_;
  std::filesystem::path path_;
  Usages written_;
  std::chrono::nanoseconds written_at_{};  // since boot
};

[[nodiscard]] std::string write_usages(const Usages& usages);
/// Errors: kInvalidArgument for a text that write_usages() did not write.
[[nodiscard]] Result<Usages> read_usages(std::string_view text);

}  // namespace holdfast::nas
