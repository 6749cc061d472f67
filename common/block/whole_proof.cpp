#include "common/block/whole_proof.h"

namespace holdfast::block {

// What is known so far, which the caller puts back when it still holds.
std::uint64_t WholeProof::take(const std::optional<DeviceLife>& life) {
  if (!life) return 0;
  const std::scoped_lock lock(mutex_);
  const auto node = reached_.extract(life->number);
  return node && node.mapped().life == *life ? node.mapped().next : 0;
}

Result<ZeroScan> WholeProof::go_on(BlockDevice& device, const Life& life,
                                   const std::function<bool()>& cancelled) {
  HOLDFAST_CHECK(device.flush());
  const std::optional<DeviceLife> before = life();
  ZeroScan scan = whole_device_is_zero(device, take(before), cancelled);
  if (scan.found && !std::holds_alternative<Blank>(*scan.found)) return scan;
  HOLDFAST_CHECK(device.flush());
  if (life() != before) return ZeroScan{.next = 0, .found = {}};
  if (scan.found) return scan;
  if (!before) return ZeroScan{.next = 0, .found = {}};
  const std::scoped_lock lock(mutex_);
  reached_.insert_or_assign(before->number, Reached{*before, scan.next});
  return scan;
}

}  // namespace holdfast::block
