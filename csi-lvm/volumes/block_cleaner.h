#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "common/base/clock.h"
#include "csi-lvm/volumes/local_volumes.h"

namespace holdfast::lvm {

/// Cleans volumes on their devices, which nobody else may have open meanwhile. Thread-safe.
class BlockCleaner final : public ExtentCleaner {
 public:
  /// `clock` outlives it.
  explicit BlockCleaner(Clock& clock) : clock_(clock) {}
  Status zero_superblocks(const VolumeName& name) override;
  Status wipe(const VolumeName& name, Lvm::Patience patience) override;
  void forget(const VolumeName& name) override;

 private:
  std::uint64_t reached(const std::string& volume);

  Clock& clock_;
  std::mutex mutex_;                              // guards reached_
  std::map<std::string, std::uint64_t> reached_;  // how far wipes came that were cut off, by volume
};

}  // namespace holdfast::lvm
