#include "common/firewall/forward_gates.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>

#include "common/netlink/nftables.h"
#include "common/netlink/socket.h"

namespace holdfast::firewall {
namespace {

using nl::nft::Family;
using nl::nft::ListedBaseChain;
using nl::nft::ListedRule;
using Chains = std::map<std::string, std::vector<ListedRule>>;

// As firewalld names what it makes with FirewallBackend=nftables.
constexpr std::string_view kFirewalld = "firewalld";

bool is_of_firewalld(const ListedBaseChain& chain) { return chain.table == kFirewalld; }

bool is_of_iptables(const ListedBaseChain& chain) {
  return chain.family != Family::kInet && chain.table == "filter" && chain.name == "FORWARD";
}

bool is_gate(const ListedBaseChain& chain) {
  if (chain.hook != nl::nft::Hook::kForward || is_of_iptables(chain)) return false;
  // firewalld has another base chain there, which changes ports and refuses nothing
  return chain.drops || (is_of_firewalld(chain) && chain.name.starts_with("filter_"));
}

/// The kernel keeps a name with the byte 0 behind it.
bool names(const Chains& chains, const std::string& link) {
  const std::string as_kept = link + '\0';
  return std::ranges::any_of(chains, [&](const auto& chain) {
    return std::ranges::any_of(chain.second, [&](const ListedRule& rule) {
      return rule.expressions.find(as_kept) != std::string::npos;
    });
  });
}

std::string join(const std::vector<std::string>& words, const std::string& before) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += ' ';
    out += before;
    out += word;
  }
  return out;
}

std::string full_name(const ListedBaseChain& chain) {
  const char* family = chain.family == Family::kInet ? "inet " : chain.family == Family::kIp ? "ip " : "ip6 ";
  return family + chain.table + " " + chain.name;
}

std::string text_of(const ListedBaseChain& chain, const std::vector<std::string>& unnamed) {
  const std::string links = join(unnamed, "");
  if (is_of_firewalld(chain)) {
    return "firewalld refuses what is forwarded by links that none of its zones names, and these are such: " +
           links + ": run firewall-cmd --permanent --zone=trusted " + join(unnamed, "--add-interface=") +
           ", then firewall-cmd --reload";
  }
  return "the chain " + full_name(chain) +
         " of nftables drops what its rules do not accept, and none of its table names " + links +
         ": accept there what comes and leaves by it, if no other rule does";
}

}  // namespace

Result<std::vector<std::string>> forward_gates(const std::vector<std::string>& links) {
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open(nl::Protocol::kNetfilter));
  HOLDFAST_TRY(const std::vector<ListedBaseChain> chains, nl::nft::list_base_chains(socket));
  std::vector<std::string> out;
  for (const ListedBaseChain& chain : chains) {
    if (!is_gate(chain)) continue;
    HOLDFAST_TRY(const Chains rules, nl::nft::list_all_rules(socket, chain.family, chain.table));
    std::vector<std::string> unnamed;
    std::ranges::copy_if(links, std::back_inserter(unnamed),
                         [&](const std::string& link) { return !names(rules, link); });
    if (!unnamed.empty()) out.push_back(text_of(chain, unnamed));
  }
  return out;
}

}  // namespace holdfast::firewall
