#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "csi-lvm/lvm/lvm.h"

namespace holdfast::block {
class BlockDevice;
}

namespace holdfast::lvm {

/// What to copy; both are active.
struct ContentOrder {
  VolumeName source;
  VolumeName target;            ///< as large at least
  std::string key;              ///< which of all volumes the two are; one made anew is another
  bool target_is_zero = false;  ///< what was never written of it reads as zeros, as in a thin volume
};

/// Makes one volume hold what another holds. On devices it is BlockCopier; the tests' one remembers.
class ContentCopier {
 public:
  ContentCopier() = default;
  ContentCopier(const ContentCopier&) = delete;
  ContentCopier& operator=(const ContentCopier&) = delete;
  virtual ~ContentCopier() = default;

  /// Afterwards the target reads as the source does, behind that as zeros, also after a power cut. Errors:
  /// kAborted when `patience` ended before: call again with the same key, and it goes on from there; errno of
  /// reading and writing, naming the device and the offset.
  virtual Status copy(const ContentOrder& order, Lvm::Patience patience) = 0;
};

/// Copies on the devices. Nobody else may have the target open meanwhile, and nobody may write to the source.
/// How far it came is known as long as it lives. Thread-safe, but for one target at a time.
class BlockCopier final : public ContentCopier {
 public:
  /// `clock` outlives it.
  explicit BlockCopier(Clock& clock) : clock_(clock) {}
  Status copy(const ContentOrder& order, Lvm::Patience patience) override;

 private:
  // How far a copy came that was cut off.
  struct Reached {
    std::string key;
    std::uint64_t next = 0;
  };
  std::uint64_t reached(const ContentOrder& order);

  Clock& clock_;
  std::mutex mutex_;                        // guards reached_
  std::map<std::string, Reached> reached_;  // by target
};

/// How far a copy came.
struct CopyProgress {
  std::uint64_t next = 0;  ///< everything below is as it is to be; where to go on
  bool done = false;       ///< all of it, and durable; false: cancelled
};

/// Copies `source` to `target` from `from` (where an earlier call stopped, else 0) on, in pieces of 4 MiB,
/// after each of which `cancelled` is asked; zeros are written as zeros (BlockDevice::zero) or, where the
/// target has them already, not at all. Errors: errno, kOutOfRange when the target is smaller.
[[nodiscard]] Result<CopyProgress> copy_content(block::BlockDevice& source, block::BlockDevice& target,
                                                bool target_is_zero, std::uint64_t from,
                                                const std::function<bool()>& cancelled);

}  // namespace holdfast::lvm
