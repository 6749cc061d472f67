#pragma once

#include <string>
#include <string_view>

#include "common/firewall/rule_set.h"

// For iptables_firewall.cpp only.
namespace holdfast::firewall {

/// "filter", and the chain in it that packets meet by themselves, "FORWARD".
[[nodiscard]] std::string_view table_of(Hook hook);
[[nodiscard]] std::string_view built_in_chain(Hook hook);

/// A rule as iptables-save spells it, from behind the chain's name. `with_random`: this iptables knows
/// --random-fully.
[[nodiscard]] std::string rule_text(IpFamily family, const Chain& chain, const Rule& rule, bool with_random);
/// The same of the rule in the built-in chain that leads into ours.
[[nodiscard]] std::string jump_text(const Chain& chain);

}  // namespace holdfast::firewall
