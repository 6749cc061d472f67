#include "cni-flannel/daemon/overlay_rules.h"

namespace holdfast::flannel {
namespace {

using firewall::AddressMatch;
using firewall::Chain;
using firewall::Hook;
using firewall::Rule;
using firewall::Target;

// kube-proxy's mark for packets that it masquerades. Source: kube-proxy --iptables-masquerade-bit,
// default 14.
constexpr firewall::MarkMatch kProxyMark{0x4000, 0x4000};

AddressMatch in(const Cidr& range) { return {range, false}; }
AddressMatch not_in(const Cidr& range) { return {range, true}; }

Cidr multicast(IpFamily family) {
  return Cidr::parse(family == IpFamily::kV4 ? "224.0.0.0/4" : "ff00::/8").value_or(Cidr{});
}

Rule between(AddressMatch source, AddressMatch destination, Target target) {
  return {std::nullopt, source, destination, target};
}

std::vector<Rule> masquerade_rules(const OverlayRules& rules, const Cidr& network, const Cidr& subnet) {
  const Target masquerade = rules.fully_random ? Target::kMasqueradeFullyRandom : Target::kMasquerade;
  std::vector<Rule> out;
  for (const Cidr& range : rules.no_masquerade) {
    if (range.family() != rules.family) continue;
    out.push_back(between(in(network), in(range), Target::kReturn));
    out.push_back(between(in(range), in(network), Target::kReturn));
  }
  out.push_back({kProxyMark, std::nullopt, std::nullopt, Target::kReturn});
  out.push_back(between(in(subnet), in(network), Target::kReturn));
  out.push_back(between(in(network), in(subnet), Target::kReturn));
  out.push_back(between(not_in(network), in(subnet), Target::kReturn));
  out.push_back(between(in(network), not_in(multicast(rules.family)), masquerade));
  out.push_back(between(not_in(network), in(network), masquerade));
  return out;
}

std::vector<Rule> forward_rules(const Cidr& network) {
  return {{std::nullopt, in(network), std::nullopt, Target::kAccept},
          {std::nullopt, std::nullopt, in(network), Target::kAccept}};
}

}  // namespace

firewall::RuleSet overlay_rule_set(const OverlayRules& rules) {
  const bool v4 = rules.family == IpFamily::kV4;
  firewall::RuleSet out;
  out.family = rules.family;
  out.nft_table = v4 ? "flannel-ipv4" : "flannel-ipv6";
  out.nft_table_comment = "rules for " + out.nft_table;

  Chain postrouting{Hook::kPostrouting,
                    rules.ranges.has_value() && rules.masquerade,
                    {},
                    "FLANNEL-POSTRTG",
                    "flanneld masq",
                    "postrtg",
                    "chain to manage traffic masquerading by flannel"};
  Chain forward{
      Hook::kForward, rules.ranges.has_value() && rules.forward, {}, "FLANNEL-FWD", "flanneld forward",
      "forward",      "chain to accept flannel traffic"};
  if (postrouting.wanted) {
    postrouting.rules =
        masquerade_rules(rules, rules.ranges->network.network(), rules.ranges->subnet.network());
  }
  if (forward.wanted) forward.rules = forward_rules(rules.ranges->network.network());
  out.chains = {std::move(postrouting), std::move(forward)};
  return out;
}

}  // namespace holdfast::flannel
