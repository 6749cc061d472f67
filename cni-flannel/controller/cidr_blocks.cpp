#include "cni-flannel/controller/cidr_blocks.h"

#include <algorithm>
#include <array>
#include <string>

namespace holdfast::flannel {
namespace {

// 2^20 blocks: more bits than that a range and a block never differ in.
constexpr unsigned kMostBits = 20;

bool bit(std::span<const std::uint8_t> bytes, unsigned number) {
  return ((bytes[number / 8] >> (7 - number % 8)) & 1U) != 0;
}

// The bits of `address` from `begin` to before `end`, as a number.
std::uint64_t bits_of(const IpAddress& address, unsigned begin, unsigned end) {
  std::uint64_t out = 0;
  for (unsigned number = begin; number < end; ++number) {
    out = out << 1 | static_cast<std::uint64_t>(bit(address.bytes(), number));
  }
  return out;
}

// The address with `number` in its bits from `begin` to before `end`, where it has none set.
IpAddress with_bits(const IpAddress& address, unsigned begin, unsigned end, std::uint64_t number) {
  std::array<std::uint8_t, 16> bytes{};
  std::ranges::copy(address.bytes(), bytes.begin());
  for (unsigned position = end; position > begin; --position, number >>= 1) {
    const unsigned at = position - 1;
    if ((number & 1U) != 0) bytes[at / 8] |= static_cast<std::uint8_t>(0x80U >> (at % 8));
  }
  if (!address.is_v4()) return IpAddress::v6(bytes);
  return IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
}

}  // namespace

Result<CidrBlocks> CidrBlocks::divide(const std::vector<Cidr>& ranges, unsigned prefix) {
  CidrBlocks out(prefix);
  for (const Cidr& given : ranges) {
    const Cidr range = given.network();
    const std::string text = range.to_string();
    if (!out.ranges_.empty() && out.ranges_.front().cidr.family() != range.family()) {
      return fail(Code::kInvalidArgument, text + " is of another family than " + ranges.front().to_string());
    }
    for (const Range& before : out.ranges_) {
      if (before.cidr.overlaps(range)) {
        return fail(Code::kInvalidArgument, text + " overlaps with " + before.cidr.to_string());
      }
    }
    if (prefix < range.prefix() || prefix > range.address().bits()) {
      return fail(Code::kInvalidArgument, text + " has no room for a /" + std::to_string(prefix));
    }
    const unsigned bits = prefix - range.prefix();
    const std::uint64_t blocks = std::uint64_t{1} << std::min(bits, kMostBits);
    if (bits > kMostBits || out.size_ + blocks > kMostBlocks) {
      return fail(Code::kInvalidArgument, text + " has more than " + std::to_string(kMostBlocks) +
                                              " blocks of /" + std::to_string(prefix));
    }
    out.ranges_.push_back({.cidr = range, .taken = std::vector<bool>(blocks)});
    out.size_ += blocks;
  }
  out.free_ = out.size_;
  return out;
}

void CidrBlocks::take(const Cidr& cidr) {
  for (Range& range : ranges_) {
    if (!range.cidr.overlaps(cidr)) continue;
    const unsigned begin = range.cidr.prefix();
    const bool within = range.cidr.contains(cidr);
    const std::uint64_t first = within ? bits_of(cidr.first(), begin, prefix_) : 0;
    const std::uint64_t last = within ? bits_of(cidr.last(), begin, prefix_) : range.taken.size() - 1;
    for (std::uint64_t number = first; number <= last; ++number) {
      if (!range.taken[number]) --free_;
      range.taken[number] = true;
    }
  }
}

std::optional<Cidr> CidrBlocks::take_next() {
  for (Range& range : ranges_) {
    while (range.lowest < range.taken.size() && range.taken[range.lowest]) ++range.lowest;
    if (range.lowest == range.taken.size()) continue;
    range.taken[range.lowest] = true;
    --free_;
    const IpAddress first = with_bits(range.cidr.address(), range.cidr.prefix(), prefix_, range.lowest);
    const Result<Cidr> block = Cidr::make(first, prefix_);
    return block ? std::optional(*block) : std::nullopt;
  }
  return std::nullopt;
}

bool CidrBlocks::holds(const Cidr& cidr) const {
  if (cidr.prefix() < prefix_) return false;
  return std::ranges::any_of(ranges_, [&](const Range& range) { return range.cidr.contains(cidr); });
}

}  // namespace holdfast::flannel
