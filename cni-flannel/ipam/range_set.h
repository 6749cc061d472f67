#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/ipam/sticky_ipam.h"
#include "common/base/cidr.h"

namespace holdfast::flannel {

// Arithmetic of the addresses that a range set hands out: all of its ranges but gateways and reserved blocks.

/// The whole of a subnet as host-local hands it out when told nothing else: from base + 1, which is the
/// gateway, to the last address, in IPv4 without the broadcast address. nullopt: the subnet is too small for
/// a pod. Its host bits are cleared.
[[nodiscard]] std::optional<IpRange> whole_range(const Cidr& subnet);

/// The range of the set that has this address, or null.
[[nodiscard]] const IpRange* range_of(const RangeSet& set, const IpAddress& address);

/// The range of the set that may hand out this address: inside, neither gateway nor reserved. Else null.
[[nodiscard]] const IpRange* usable_range(const RangeSet& set, const std::vector<Cidr>& reserved,
                                          const IpAddress& address);

/// The first address of the range, from `from` on, that may be handed out and is not taken. The cost goes
/// with the number of taken addresses before it.
[[nodiscard]] std::optional<IpAddress> first_free(const IpRange& range, const std::vector<Cidr>& reserved,
                                                  const IpAddress& from,
                                                  const std::function<bool(const IpAddress&)>& is_taken);

/// "10.244.3.1-10.244.3.254,..." as host-local prints a range set.
[[nodiscard]] std::string to_string(const RangeSet& set);

/// How many addresses the set can hand out; saturates.
[[nodiscard]] std::uint64_t size_of(const RangeSet& set, const std::vector<Cidr>& reserved);

}  // namespace holdfast::flannel
