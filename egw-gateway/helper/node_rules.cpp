#include "egw-gateway/helper/node_rules.h"

#include <algorithm>

#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

using firewall::AddressMatch;
using firewall::Chain;
using firewall::Hook;
using firewall::Target;

AddressMatch in(const Cidr& range) { return {range, false}; }

AddressMatch at(const IpAddress& address) {
  return {Cidr::make(address, address.bits()).value_or(Cidr{}), false};
}

/// In both directions.
void add_between(std::vector<firewall::Rule>& rules, const AddressMatch& one, const AddressMatch& other) {
  rules.push_back({.source = one, .destination = other, .target = Target::kUntrack});
  rules.push_back({.source = other, .destination = one, .target = Target::kUntrack});
}

void add_exception(std::vector<firewall::Rule>& rules, const AddressMatch& range) {
  rules.push_back({.source = range, .target = Target::kReturn});
  rules.push_back({.destination = range, .target = Target::kReturn});
}

/// Gateways' liveness by this node's own addresses. A table of connections that is full, or is made room in,
/// is not to end sessions: each direction of one is a connection that nothing ever answers.
std::vector<firewall::Rule> liveness_rules(IpFamily family, const NodeRules& rules, bool arriving) {
  std::vector<firewall::Rule> out;
  for (const IpAddress& address : rules.node) {
    if (address.family() != family || rules.ranges.empty()) continue;
    firewall::Rule& rule = out.emplace_back();
    (arriving ? rule.destination : rule.source) = at(address);
    rule.udp_port = kBfdMultihopPort;
    rule.target = Target::kUntrack;
  }
  return out;
}

/// In the order in which they count.
std::vector<firewall::Rule> raw_rules(IpFamily family, const NodeRules& rules) {
  std::vector<firewall::Rule> out;
  const auto is_ours = [&](const auto& one) { return one.family() == family; };
  const bool any = std::ranges::find(rules.transit, family, &Cidr::family) != rules.transit.end();
  if (rules.gateway.empty() || !any) return out;
  for (const IpAddress& address : rules.node) {
    if (is_ours(address)) add_exception(out, at(address));
  }
  for (const IpAddress& gateway : rules.gateway) {
    for (const Cidr& pods : rules.pod_cidrs) {
      if (is_ours(gateway) && is_ours(pods)) add_between(out, at(gateway), in(pods));
    }
  }
  for (const Cidr& own : rules.own) {
    if (is_ours(own)) add_exception(out, in(own));
  }
  for (const Cidr& range : rules.transit) {
    for (const Cidr& pods : rules.pod_cidrs) {
      if (is_ours(range) && is_ours(pods)) add_between(out, in(pods), in(range));
    }
  }
  for (const Cidr& pods : rules.pod_cidrs) {
    if (!is_ours(pods)) continue;
    for (const std::uint8_t type : firewall::icmp_error_types(family)) {
      out.push_back({.destination = in(pods), .target = Target::kUntrack, .icmp_type = type});
    }
  }
  return out;
}

// Of what kube-proxy masquerades, unless it is told another bit: --iptables-masquerade-bit.
constexpr firewall::MarkMatch kMasqueraded{0x4000, 0x4000};

/// What the node says to an address of its own that lies in a range: one that keepalived holds, say.
const firewall::LinkMatch kOwn{"lo"};

/// Only what pods send comes by one of the node's ways, and only what gateways bring.
Chain lan_chain(IpFamily family, const NodeRules& rules) {
  Chain out{Hook::kForward,
            false,
            {},
            "EGW-LAN",
            "egw-helper lan",
            "lan",
            "no machine of the site reaches the VPC by this node, or speaks as it"};
  out.first = true;  // flanneld's chain accepts whatever says that it is from a pod
  for (const std::string& link : rules.ways)
    out.rules.push_back({.target = Target::kReturn, .in_link = firewall::LinkMatch{link}});
  out.rules.push_back({.mark = kMasqueraded, .target = Target::kReturn});
  for (const Cidr& range : rules.ranges) {
    if (range.family() != family) continue;
    out.rules.push_back({.destination = in(range), .target = Target::kDrop, .counted = true});
    // pods believe these addresses, as nothing else has them
    out.rules.push_back({.source = in(range), .target = Target::kDrop, .counted = true});
    out.wanted = true;
  }
  if (!out.wanted) out.rules.clear();
  return out;
}

Chain leaving_chain(IpFamily family, const NodeRules& rules) {
  Chain out{Hook::kLeaving,
            false,
            {},
            "EGW-LEAVING",
            "egw-helper leaving",
            "leaving",
            "what is for the VPC leaves to a gateway, or not at all"};
  for (const Cidr& range : rules.ranges) {
    if (range.family() == family) out.rules.push_back({.destination = in(range), .target = Target::kDrop});
  }
  out.wanted = !out.rules.empty();
  if (!out.wanted) return out;
  for (const std::string& link : rules.ways)
    out.rules.insert(out.rules.begin(), {.target = Target::kReturn, .out_link = firewall::LinkMatch{link}});
  out.rules.insert(out.rules.begin(), {.target = Target::kReturn, .out_link = kOwn});
  return out;
}

/// Gateways' liveness has one queue, which no machine of the site is to fill: keys are looked at behind it.
Chain input_chain(IpFamily family, const NodeRules& rules) {
  Chain out{Hook::kInput,
            false,
            {},
            "EGW-INPUT",
            "egw-helper input",
            "input",
            "the VPC begins no connection to this node"};
  for (const Cidr& range : rules.ranges) {
    if (range.family() != family) continue;
    out.rules.push_back({.source = in(range),
                         .target = Target::kDrop,
                         .connection = firewall::ConnectionMatch::kNew,
                         .counted = true});
  }
  out.wanted = !out.rules.empty();
  if (!out.wanted) return out;
  out.rules.insert(out.rules.begin(), {.target = Target::kReturn, .in_link = kOwn});
  for (const std::string& link : rules.ways)
    out.rules.push_back(
        {.target = Target::kReturn, .in_link = firewall::LinkMatch{link}, .udp_port = kBfdMultihopPort});
  if (!rules.ways.empty()) out.rules.push_back({.target = Target::kDrop, .udp_port = kBfdMultihopPort});
  return out;
}

/// Before others see them: what is not tracked as it arrives.
Chain raw_chain(IpFamily family, const NodeRules& rules) {
  Chain out{Hook::kRaw, false, {}, "EGW-RAW", "egw-helper raw", "raw", "pods and the VPC are not tracked"};
  out.rules = liveness_rules(family, rules, /*arriving=*/true);
  const std::vector<firewall::Rule> gateways = raw_rules(family, rules);
  out.rules.insert(out.rules.end(), gateways.begin(), gateways.end());
  out.wanted = !out.rules.empty();
  return out;
}

/// The same of what the node itself sends.
Chain raw_own_chain(IpFamily family, const NodeRules& rules) {
  Chain out{Hook::kRawOwn,
            false,
            {},
            "EGW-RAW-OWN",
            "egw-helper own",
            "own",
            "what asks gateways whether they live is not tracked"};
  out.rules = liveness_rules(family, rules, /*arriving=*/false);
  out.wanted = !out.rules.empty();
  return out;
}

}  // namespace

firewall::RuleSet node_rule_set(IpFamily family, const NodeRules& rules) {
  const bool v4 = family == IpFamily::kV4;
  firewall::RuleSet out;
  out.family = family;
  out.nft_table = v4 ? "egw-ipv4" : "egw-ipv6";
  out.nft_table_comment = "rules of egw-helper";
  out.chains = {raw_chain(family, rules), input_chain(family, rules), leaving_chain(family, rules),
                lan_chain(family, rules), raw_own_chain(family, rules)};
  return out;
}

}  // namespace holdfast::gateway
