#include "common/block/proof_places.h"

#include <algorithm>

#include "common/block/block_device.h"

namespace holdfast::block {
namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;
constexpr std::uint64_t kTiB = 1024 * kGiB;

constexpr std::uint64_t kSingles[] = {1 * kMiB, 2 * kMiB, 4 * kMiB, 64 * kMiB, 256 * kGiB};
constexpr std::uint64_t kBlocksPerByte = 8;    // a group's bitmap is one block
constexpr std::uint64_t kXfsBlock = 4 * kKiB;  // of mkfs.xfs, unless it is told another
constexpr std::uint64_t kXfsGroupCounts[] = {4, 8, 16, 32};
constexpr std::uint64_t kXfsLargeFrom = 4 * kTiB;  // from here on a group has 1 TiB

void add_ext_backups(std::uint64_t block, std::uint64_t device_bytes, std::vector<std::uint64_t>& out) {
  const std::uint64_t group_bytes = kBlocksPerByte * block * block;
  const std::uint64_t first =
      block == kKiB ? kKiB : 0;  // with 1 KiB blocks the first group starts at block 1
  const auto add_group = [&](std::uint64_t group) {
    // Compared by division: group * group_bytes may not fit.
    if (group > (device_bytes - first) / group_bytes) return false;
    const std::uint64_t offset = first + group * group_bytes;
    if (offset >= device_bytes) return false;
    out.push_back(offset);
    return true;
  };
  if (device_bytes <= first || !add_group(1)) return;
  for (const std::uint64_t base : {3U, 5U, 7U}) {
    for (std::uint64_t group = base; add_group(group); group *= base) {
    }
  }
}

void add_xfs_groups(std::uint64_t device_bytes, std::vector<std::uint64_t>& out) {
  const std::uint64_t blocks = device_bytes / kXfsBlock;
  for (const std::uint64_t count : kXfsGroupCounts) {
    const std::uint64_t group_blocks = (blocks + count - 1) / count;
    for (std::uint64_t group = 1; group < count; ++group) out.push_back(group * group_blocks * kXfsBlock);
  }
  if (device_bytes < kXfsLargeFrom) return;
  for (std::uint64_t offset = kTiB; offset < device_bytes; offset += kTiB) out.push_back(offset);
}

// Sorts, cuts at the device's end and joins what touches.
std::vector<Extent> merged(std::vector<Extent> places, std::uint64_t device_bytes) {
  std::ranges::sort(places, {}, &Extent::offset);
  std::vector<Extent> out;
  for (Extent place : places) {
    if (place.offset >= device_bytes) continue;
    place.length = std::min(place.length, device_bytes - place.offset);
    if (!out.empty() && place.offset <= out.back().end()) {
      out.back().length = std::max(out.back().end(), place.end()) - out.back().offset;
    } else {
      out.push_back(place);
    }
  }
  return out;
}

}  // namespace

std::vector<std::uint64_t> ext_backup_superblocks(std::uint64_t device_bytes) {
  std::vector<std::uint64_t> out;
  for (std::uint64_t block = kKiB; block <= 64 * kKiB; block *= 2) add_ext_backups(block, device_bytes, out);
  std::ranges::sort(out);
  return out;
}

std::vector<Extent> proof_places(std::uint64_t device_bytes) {
  std::vector<std::uint64_t> points(std::begin(kSingles), std::end(kSingles));
  std::ranges::copy(ext_backup_superblocks(device_bytes), std::back_inserter(points));
  add_xfs_groups(device_bytes, points);

  std::vector<Extent> places;
  places.reserve(points.size() + 2);
  for (const std::uint64_t point : points) places.push_back({point / kAlignment * kAlignment, kAlignment});
  const std::uint64_t tail = device_bytes > kMiB ? (device_bytes - kMiB) / kAlignment * kAlignment : 0;
  places.push_back({0, kMiB});
  places.push_back({tail, device_bytes - tail});
  return merged(std::move(places), device_bytes);
}

}  // namespace holdfast::block
