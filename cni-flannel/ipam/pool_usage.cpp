#include "cni-flannel/ipam/pool_usage.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "cni-flannel/ipam/range_set.h"

namespace holdfast::flannel {
namespace {

PoolUsage usage_of_set(const RangeSet& set, const std::vector<Cidr>& reserved,
                       const std::vector<IpAddress>& in_use, const std::vector<Binding>& bindings,
                       const std::string& boot_id) {
  const auto is_usable = [&](const IpAddress& address) {
    return usable_range(set, reserved, address) != nullptr;
  };
  PoolUsage usage;
  usage.size = size_of(set, reserved);
  usage.used = static_cast<std::uint64_t>(std::ranges::count_if(in_use, is_usable));
  for (const Binding& binding : bindings) {
    const bool is_of_this_boot = binding.boot_id.empty() || binding.boot_id == boot_id;
    for (const IpAddress& address : binding.addresses) {
      const bool has_file = std::ranges::binary_search(in_use, address);
      if (is_usable(address) && !(has_file && is_of_this_boot)) {
        usage.bound += 1;
        usage.used -= std::min<std::uint64_t>(usage.used, has_file ? 1 : 0);
      }
    }
  }
  return usage;
}

}  // namespace

PoolUsage usage_of(const IpamConfig& config, const std::vector<IpAddress>& in_use,
                   const std::vector<Binding>& bindings, const std::string& boot_id) {
  std::optional<PoolUsage> tightest;
  for (const RangeSet& set : config.range_sets) {
    const PoolUsage usage = usage_of_set(set, config.reserved, in_use, bindings, boot_id);
    if (!tightest || usage.size - usage.used < tightest->size - tightest->used) {
      tightest = usage;
    }
  }
  return tightest.value_or(PoolUsage{});
}

}  // namespace holdfast::flannel
