#include "csi-lvm/volumes/content_copy.h"

#include <algorithm>
#include <span>

#include "common/block/block_device.h"

namespace holdfast::lvm {
namespace {

constexpr std::uint64_t kPiece = std::uint64_t{4} << 20;

// One piece that begins at `offset`, of the source or of what lies behind it.
Status copy_piece(block::BlockDevice& source, block::BlockDevice& target, bool target_is_zero,
                  std::uint64_t offset, std::span<std::byte> piece) {
  if (offset < source.size_bytes()) HOLDFAST_CHECK(source.read(offset, piece));
  if (offset < source.size_bytes() && !block::all_zero(piece)) return target.write(offset, piece);
  if (target_is_zero) return {};
  return target.zero(offset, piece.size());
}

}  // namespace

Result<CopyProgress> copy_content(block::BlockDevice& source, block::BlockDevice& target, bool target_is_zero,
                                  std::uint64_t from, const std::function<bool()>& cancelled) {
  const std::uint64_t size = target.size_bytes();
  if (size < source.size_bytes()) {
    return fail(Code::kOutOfRange, target.name() + " is smaller than " + source.name());
  }
  block::AlignedBuffer buffer(kPiece);
  CopyProgress progress{.next = from, .done = false};
  while (progress.next < size) {
    // No piece lies across the end of the source.
    const std::uint64_t end = progress.next < source.size_bytes() ? source.size_bytes() : size;
    const std::uint64_t length = std::min(kPiece, end - progress.next);
    HOLDFAST_CHECK(copy_piece(source, target, target_is_zero, progress.next, buffer.span().first(length)));
    progress.next += length;
    if (progress.next < size && cancelled()) return progress;
  }
  HOLDFAST_CHECK(target.flush());
  progress.done = true;
  return progress;
}

Status BlockCopier::copy(const ContentOrder& order, Lvm::Patience patience) {
  const std::string target_name = order.target.text();
  HOLDFAST_TRY(const auto source,
               block::SystemBlockDevice::open("/dev/" + order.source.text(), block::Access::kRead));
  HOLDFAST_TRY(const auto target,
               block::SystemBlockDevice::open("/dev/" + target_name, block::Access::kExclusive));
  const auto until = clock_.since_boot() + patience;
  HOLDFAST_TRY(const CopyProgress progress,
               copy_content(*source, *target, order.target_is_zero, reached(order),
                            [&] { return clock_.since_boot() >= until; }));
  const std::scoped_lock lock(mutex_);
  if (progress.done) {
    reached_.erase(target_name);
    return {};
  }
  reached_[target_name] = {.key = order.key, .next = progress.next};
  return fail(Code::kAborted, "the volume " + target_name + " is being filled from " + order.source.text() +
                                  ": " + std::to_string(progress.next) + " of " +
                                  std::to_string(target->size_bytes()) + " bytes are; ask again");
}

std::uint64_t BlockCopier::reached(const ContentOrder& order) {
  const std::scoped_lock lock(mutex_);
  const auto found = reached_.find(order.target.text());
  return found == reached_.end() || found->second.key != order.key ? 0 : found->second.next;
}

}  // namespace holdfast::lvm
