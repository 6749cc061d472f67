#include "cni-flannel/daemon/rules_wanted.h"

#include "cni-flannel/daemon/overlay_rules.h"

namespace holdfast::flannel {

RulesWanted rules_wanted(const NetConf& conf, const Options& options, const NodeNetwork& own,
                         const std::vector<Cidr>& no_masquerade, const std::optional<PeerGuard>& guard) {
  RulesWanted wanted;
  wanted.nftables = conf.nftables;
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    const std::optional<AddressPool>& pool = family == IpFamily::kV4 ? conf.ipv4 : conf.ipv6;
    const Cidr* subnet = own.pod_cidr(family);
    OverlayRules rules;
    rules.family = family;
    if (pool && subnet != nullptr) rules.ranges = OverlayRules::Ranges{pool->network, *subnet};
    rules.masquerade = options.ip_masq;
    rules.fully_random = !options.ip_masq_fully_random_disable;
    rules.forward = options.iptables_forward_rules;
    rules.no_masquerade = options.no_masq_cidrs;
    rules.no_masquerade.insert(rules.no_masquerade.end(), no_masquerade.begin(), no_masquerade.end());
    wanted.sets.push_back(overlay_rule_set(rules));
  }
  wanted.guarded = !options.accept_unknown_peers;
  wanted.guard = guard;
  return wanted;
}

}  // namespace holdfast::flannel
