#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"

namespace holdfast::firewall {

/// Chains of others in nf_tables that all forwarded packets meet and that let through only what their own
/// rules accept, which no accept in another table undoes: those whose policy is drop, and firewalld's, which
/// ends with a reject. A line each, for people, with the cure. Left out are tables of which some rule names
/// each of `links`: somebody has thought of them; and iptables' own (IptablesFirewall::forward_drops()).
///
/// It is a hint: rules that name no link may accept, and rules that name one may drop.
///
/// In the calling thread's network namespace. A kernel without nf_tables has none. Errors: the kernel's.
[[nodiscard]] Result<std::vector<std::string>> forward_gates(const std::vector<std::string>& links);

}  // namespace holdfast::firewall
