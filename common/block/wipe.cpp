#include "common/block/wipe.h"

#include <algorithm>

#include "common/block/proof_places.h"

namespace holdfast::block {
namespace {

constexpr std::uint64_t kStep = std::uint64_t{64} << 20;

}  // namespace

Status zero_places(BlockDevice& device) {
  for (const Extent& place : proof_places(device.size_bytes())) {
    HOLDFAST_CHECK(device.zero(place.offset, place.length));
  }
  return device.flush();
}

Result<WipeProgress> wipe_whole(BlockDevice& device, std::uint64_t from,
                                const std::function<bool()>& cancelled) {
  const std::uint64_t size = device.size_bytes();
  WipeProgress progress{.next = from <= size && from % kStep == 0 ? from : 0, .done = false};
  while (progress.next < size) {
    const std::uint64_t length = std::min(kStep, size - progress.next);
    HOLDFAST_CHECK(device.zero(progress.next, length));
    HOLDFAST_CHECK(device.flush());
    progress.next += length;
    if (progress.next < size && cancelled()) return progress;
  }
  progress.done = true;
  return progress;
}

}  // namespace holdfast::block
