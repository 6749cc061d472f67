#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// The lease that flanneld leaves for the CNI plugin.
/// Shape: KEY=VALUE lines, split at the first '=', no quoting; blank lines, lines that start with '#' and
/// unknown keys are skipped; of a key given twice the last counts. Source: /run/flannel/subnet.env.
struct SubnetEnv {
  /// FLANNEL_NETWORK, then FLANNEL_IPV6_NETWORK: comma lists, host bits cleared, each once.
  std::vector<Cidr> networks;
  std::optional<Cidr> subnet;   ///< FLANNEL_SUBNET: this node's IPv4 range, the gateway as host part
  std::optional<Cidr> subnet6;  ///< FLANNEL_IPV6_SUBNET
  std::uint32_t mtu = 0;        ///< FLANNEL_MTU, bytes, encapsulation already taken off
  bool masquerade = false;      ///< FLANNEL_IPMASQ: flanneld masquerades. Exactly "true" is true
};

/// Errors: kInvalidArgument: a line without '=', keys that are missing or empty (all are named; of NETWORK
/// and of SUBNET one family is enough), a CIDR that is none or of the other family, a subnet of less than
/// four addresses, an MTU that is not 68..65535, with IPv6 1280..65535. Does no I/O and never throws.
[[nodiscard]] Result<SubnetEnv> parse_subnet_env(std::string_view text);

}  // namespace holdfast::flannel
