#pragma once

#include <optional>
#include <vector>

#include "common/base/cidr.h"
#include "common/firewall/rule_set.h"

namespace holdfast::flannel {

/// What decides one family's rules.
struct OverlayRules {
  struct Ranges {
    Cidr network;  ///< C, of the cluster
    Cidr subnet;   ///< P, of this node
  };
  IpFamily family = IpFamily::kV4;
  std::optional<Ranges> ranges =
      std::nullopt;          ///< unset: the family is not in use, and nothing of ours stays
  bool masquerade = false;   ///< --ip-masq
  bool fully_random = true;  ///< unless --ip-masq-fully-random-disable
  bool forward = true;       ///< --iptables-forward-rules
  /// --no-masq-cidr and what gateways ask for: pod traffic to and from these keeps its source. Those of the
  /// other family are not looked at.
  std::vector<Cidr> no_masquerade = {};
};

/// Upstream's rules under upstream's names, of its iptables mode in both modes:
///
///     postrouting   for each R of no_masquerade: C to R return, R to C return
///                   mark 0x4000/0x4000 return                         kube-proxy masquerades these itself
///                   P to C return, C to P return, not C to P return   also from outside: see who is calling
///                   C to anything but multicast masquerade
///                   not C to C masquerade                             the host to remote pods
///     forward       from C accept, to C accept                        against a FORWARD policy of DROP
///
/// Upstream's nftables mode differs in two rules, both by accident: it compares the whole mark, and returns
/// on `saddr != P daddr C`, so that its last rule never counts.
[[nodiscard]] firewall::RuleSet overlay_rule_set(const OverlayRules& rules);

}  // namespace holdfast::flannel
