#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "common/base/result.h"
#include "common/block/blank_proof.h"
#include "common/block/block_device.h"
#include "common/block/device_life.h"

namespace holdfast::block {

/// Proves in several calls that devices are zero throughout, for a large one takes longer than a call may.
///
///     call 1   |======>                |     the life of the device is noted, and how far it was read
///     call 2   |       ======>         |     goes on, as its life is still that one
///     call 3   |                ======>|     zero throughout, if its life is that one to the end
///
/// Nobody keeps others off a device between two calls: a pod may have it raw, another device may have come
/// under its name. So what was read counts only while DeviceLife is what it was before the first byte was
/// read; else the next call begins at zero, and so does each where it cannot be known. May be used from any
/// thread; one device at a time needs the caller's hold.
class WholeProof {
 public:
  /// Asked for before and after each reading. Other ones than life_of() are for tests.
  using Life = std::function<std::optional<DeviceLife>()>;

  /// One call: reads until all is read, something is found, or `cancelled`. `found` is set at the end;
  /// else `next` bytes are proven. Errors: those of BlockDevice::flush(), which lets what others wrote be
  /// counted.
  Result<ZeroScan> go_on(BlockDevice& device, const Life& life, const std::function<bool()>& cancelled);

 private:
  struct Reached {
    DeviceLife life;  // before the first byte was read
    std::uint64_t next = 0;
  };
  [[nodiscard]] std::uint64_t take(const std::optional<DeviceLife>& life);

  std::mutex mutex_;                  // guards reached_
  std::map<dev_t, Reached> reached_;  // of readings that are under way; a number that is given anew replaces
};

}  // namespace holdfast::block
