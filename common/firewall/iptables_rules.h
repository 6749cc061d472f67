#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/firewall/rule_set.h"

// For iptables_firewall.cpp only.
namespace holdfast::firewall {

/// "filter", and the chain in it that packets meet by themselves, "FORWARD".
[[nodiscard]] std::string_view table_of(Hook hook);
[[nodiscard]] std::string_view built_in_chain(Hook hook);

/// A rule as iptables-save spells it, from behind the chain's name: a line for each pair of its ranges.
/// `with_random`: this iptables knows --random-fully.
[[nodiscard]] std::vector<std::string> rule_texts(IpFamily family, const Chain& chain, const Rule& rule,
                                                  bool with_random);
/// The same of the rules that lead from a trunk into the chains of its links, which stand before its own.
[[nodiscard]] std::vector<std::string> link_jump_texts(const RuleSet& set, const Chain& trunk);
/// The same of the rule in the built-in chain that leads into ours.
[[nodiscard]] std::string jump_text(const Chain& chain);

}  // namespace holdfast::firewall
