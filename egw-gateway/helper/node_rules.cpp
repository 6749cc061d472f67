#include "egw-gateway/helper/node_rules.h"

namespace holdfast::gateway {
namespace {

using firewall::AddressMatch;
using firewall::Chain;
using firewall::Hook;
using firewall::Target;

AddressMatch in(const Cidr& range) { return {range, false}; }

}  // namespace

firewall::RuleSet node_rule_set(IpFamily family, const NodeRules& rules) {
  const bool v4 = family == IpFamily::kV4;
  firewall::RuleSet out;
  out.family = family;
  out.nft_table = v4 ? "egw-ipv4" : "egw-ipv6";
  out.nft_table_comment = "rules of egw-helper";
  Chain raw{Hook::kRaw, false, {}, "EGW-RAW", "egw-helper raw", "raw", "pods and the VPC are not tracked"};
  Chain input{Hook::kInput,
              false,
              {},
              "EGW-INPUT",
              "egw-helper input",
              "input",
              "the VPC begins no connection to this node"};
  for (const Cidr& own : rules.own) {
    if (own.family() != family) continue;
    raw.rules.push_back({.source = in(own), .target = Target::kReturn});
    raw.rules.push_back({.destination = in(own), .target = Target::kReturn});
  }
  const std::size_t exceptions = raw.rules.size();
  for (const Cidr& range : rules.ranges) {
    if (range.family() != family) continue;
    input.rules.push_back({.source = in(range),
                           .target = Target::kDrop,
                           .connection = firewall::ConnectionMatch::kNew,
                           .counted = true});
    for (const Cidr& pods : rules.pod_cidrs) {
      if (pods.family() != family) continue;
      raw.rules.push_back({.source = in(pods), .destination = in(range), .target = Target::kUntrack});
      raw.rules.push_back({.source = in(range), .destination = in(pods), .target = Target::kUntrack});
    }
  }
  raw.wanted = rules.has_gateway && raw.rules.size() > exceptions;
  if (!raw.wanted) raw.rules.clear();
  input.wanted = !input.rules.empty();
  out.chains = {std::move(raw), std::move(input)};
  return out;
}

}  // namespace holdfast::gateway
