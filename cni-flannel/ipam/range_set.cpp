#include "cni-flannel/ipam/range_set.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace holdfast::flannel {
namespace {

constexpr std::uint64_t kMaxCount = std::numeric_limits<std::uint64_t>::max();

bool is_in(const IpRange& range, const IpAddress& address) {
  return address.family() == range.first.family() && range.first <= address && address <= range.last;
}

std::uint64_t add_saturating(std::uint64_t a, std::uint64_t b) {
  return a > kMaxCount - b ? kMaxCount : a + b;
}

// Number of addresses from `first` to `last`, both included.
std::uint64_t count(const IpAddress& first, const IpAddress& last) {
  const auto distance = last.distance_from(first);
  return distance ? add_saturating(*distance, 1) : kMaxCount;
}

// Blocks of addresses that are not handed out, without overlaps, ascending.
std::vector<std::pair<IpAddress, IpAddress>> holes_in(const IpRange& range,
                                                      const std::vector<Cidr>& reserved) {
  std::vector<std::pair<IpAddress, IpAddress>> holes;
  const auto add = [&](const IpAddress& first, const IpAddress& last) {
    if (first.family() == range.first.family() && first <= range.last && last >= range.first) {
      holes.emplace_back(std::max(first, range.first), std::min(last, range.last));
    }
  };
  add(range.gateway, range.gateway);
  for (const Cidr& block : reserved) {
    add(block.first(), block.last());
  }
  std::ranges::sort(holes);
  std::vector<std::pair<IpAddress, IpAddress>> merged;
  for (const auto& hole : holes) {
    if (!merged.empty() && hole.first <= merged.back().second) {
      merged.back().second = std::max(merged.back().second, hole.second);
    } else {
      merged.push_back(hole);
    }
  }
  return merged;
}

}  // namespace

std::optional<IpRange> whole_range(const Cidr& subnet) {
  const Cidr block = subnet.network();
  if (block.prefix() + 2U > block.address().bits()) return std::nullopt;
  const std::optional<IpAddress> second = block.first().plus(1);
  if (!second) return std::nullopt;
  IpAddress last = block.last();
  if (block.is_v4()) {
    const std::uint64_t addresses = std::uint64_t{1} << (32U - block.prefix());
    last = block.first().plus(addresses - 2).value_or(last);
  }
  return IpRange{block, *second, last, *second};
}

const IpRange* range_of(const RangeSet& set, const IpAddress& address) {
  const auto found = std::ranges::find_if(set, [&](const IpRange& range) { return is_in(range, address); });
  return found == set.end() ? nullptr : &*found;
}

const IpRange* usable_range(const RangeSet& set, const std::vector<Cidr>& reserved,
                            const IpAddress& address) {
  const IpRange* range = range_of(set, address);
  if (range == nullptr || address == range->gateway ||
      std::ranges::any_of(reserved, [&](const Cidr& block) { return block.contains(address); })) {
    return nullptr;
  }
  return range;
}

std::optional<IpAddress> first_free(const IpRange& range, const std::vector<Cidr>& reserved,
                                    const IpAddress& from,
                                    const std::function<bool(const IpAddress&)>& is_taken) {
  const auto holes = holes_in(range, reserved);
  auto hole = holes.begin();
  std::optional<IpAddress> at = from;
  while (at && is_in(range, *at)) {
    while (hole != holes.end() && hole->second < *at) {
      ++hole;
    }
    if (hole != holes.end() && hole->first <= *at) {
      at = hole->second.plus(1);
    } else if (is_taken(*at)) {
      at = at->plus(1);
    } else {
      return at;
    }
  }
  return std::nullopt;
}

std::string to_string(const RangeSet& set) {
  std::string text;
  for (const IpRange& range : set) {
    text += text.empty() ? "" : ",";
    text += range.first.to_string() + "-" + range.last.to_string();
  }
  return text;
}

std::uint64_t size_of(const RangeSet& set, const std::vector<Cidr>& reserved) {
  std::uint64_t size = 0;
  for (const IpRange& range : set) {
    std::uint64_t usable = count(range.first, range.last);
    for (const auto& [first, last] : holes_in(range, reserved)) {
      usable -= std::min(usable, count(first, last));
    }
    size = add_saturating(size, usable);
  }
  return size;
}

}  // namespace holdfast::flannel
