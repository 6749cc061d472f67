#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <set>
#include <string>

#include "common/block/volume_stats.h"
#include "csi-nas/mounts/nas_mounts.h"

namespace holdfast::nas {

/// Looks at volumes for block::VolumeStats, without waiting for servers that are dead.
class NasProbe final : public block::VolumeProbe {
 public:
  /// `mounts` is there until close() has returned.
  explicit NasProbe(NasMounts& mounts) : mounts_(mounts) {}

  Result<block::VolumeLook> look(const std::string& path) override;
  /// The last look found that the server has forgotten what is mounted (ESTALE).
  [[nodiscard]] bool is_stale(const std::string& path) const;
  /// Waits for looks that are under way, seconds at most; later ones are refused.
  void close();

 private:
  void keep(const std::string& path, const Result<block::VolumeUsage>& usage);

  NasMounts& mounts_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable ended_;
  std::set<std::string> stale_;
  std::size_t looks_ = 0;  // under way
  bool closed_ = false;
};

}  // namespace holdfast::nas
