#include "test/block/fake_block_device.h"

#include <algorithm>

namespace holdfast::test {

using block::kAlignment;

void FakeBlockDevice::put(std::uint64_t offset, std::string_view bytes) {
  for (const char c : bytes) {
    blocks_[offset / kAlignment * kAlignment][offset % kAlignment] = static_cast<std::byte>(c);
    ++offset;
  }
}

Status FakeBlockDevice::read(std::uint64_t offset, std::span<std::byte> into) {
  before_read();
  const std::string what = "read " + name_ + " at byte " + std::to_string(offset);
  if (offset + into.size() > size_bytes_) return fail(Code::kOutOfRange, what + ": it ends before");
  if (offset % sector_bytes_ != 0 || into.size() % sector_bytes_ != 0) return fail_errno(EINVAL, what);
  const auto first_bad = bad.lower_bound(offset / kAlignment * kAlignment);
  if (first_bad != bad.end() && first_bad->first < offset + into.size()) {
    return fail_errno(first_bad->second, what);
  }
  std::ranges::fill(into, std::byte{0});
  for (auto it = blocks_.lower_bound(offset / kAlignment * kAlignment);
       it != blocks_.end() && it->first < offset + into.size(); ++it) {
    const std::uint64_t begin = std::max(it->first, offset);
    const std::uint64_t end = std::min(it->first + kAlignment, offset + into.size());
    const auto from = it->second.begin() + static_cast<std::ptrdiff_t>(begin - it->first);
    std::copy_n(from, end - begin, into.begin() + static_cast<std::ptrdiff_t>(begin - offset));
  }
  return {};
}

Status FakeBlockDevice::write(std::uint64_t offset, std::span<const std::byte> from) {
  const std::string what = "write " + name_ + " at byte " + std::to_string(offset);
  if (offset + from.size() > size_bytes_) return fail(Code::kOutOfRange, what + ": it ends before");
  if (offset % kAlignment != 0 || from.size() % sector_bytes_ != 0) return fail_errno(EINVAL, what);
  flushed_ = false;
  written_bytes += from.size();
  for (std::size_t done = 0; done < from.size(); done += kAlignment) {
    const auto piece = from.subspan(done, std::min<std::size_t>(kAlignment, from.size() - done));
    std::ranges::copy(piece, blocks_[offset + done].begin());
  }
  return {};
}

Status FakeBlockDevice::zero(std::uint64_t offset, std::uint64_t length) {
  if (offset + length > size_bytes_ || offset % kAlignment != 0) {
    return fail_errno(EINVAL, "zero " + name_ + " at byte " + std::to_string(offset));
  }
  flushed_ = false;
  blocks_.erase(blocks_.lower_bound(offset), blocks_.lower_bound(offset + length));
  return {};
}

Status FakeBlockDevice::flush() {
  flushed_ = true;
  return {};
}

}  // namespace holdfast::test
