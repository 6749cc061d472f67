#include "common/firewall/iptables_rules.h"

#include <array>
#include <cstdio>
#include <optional>

namespace holdfast::firewall {
namespace {

std::string comment_of(const Chain& chain) {
  return "-m comment --comment \"" + chain.iptables_comment + "\" ";
}

/// One for each range.
std::vector<std::string> address_texts(char option, const std::optional<AddressMatch>& match) {
  if (!match) return {""};
  const std::string begin = std::string(match->inverted ? "! " : "") + "-" + option + " ";
  if (match->mask) return {begin + match->range.address().to_string() + "/" + match->mask->to_string() + " "};
  std::vector<std::string> out{begin + match->range.network().to_string() + " "};
  for (const Cidr& other : match->others) out.push_back(begin + other.network().to_string() + " ");
  return out;
}

std::string link_text(char option, const std::optional<LinkMatch>& match) {
  if (!match) return "";
  return std::string("-") + option + " " + match->name + (match->prefix ? "+ " : " ");
}

std::string mark_text(const std::optional<MarkMatch>& mark) {
  if (!mark) return "";
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "-m mark --mark 0x%x/0x%x ", mark->value, mark->mask);
  return text.data();
}

std::string protocol_text(const Rule& rule, IpFamily family) {
  if (rule.icmp_type) return family == IpFamily::kV4 ? "-p icmp " : "-p ipv6-icmp ";
  return rule.target == Target::kClampMss ? "-p tcp " : rule.udp_port ? "-p udp " : "";
}

std::string icmp_text(const std::optional<std::uint8_t>& type, IpFamily family) {
  if (!type) return "";
  const char* option = family == IpFamily::kV4 ? "-m icmp --icmp-type " : "-m icmp6 --icmpv6-type ";
  return option + std::to_string(*type) + " ";
}

std::string udp_text(const std::optional<std::uint16_t>& port) {
  return port ? "-m udp --dport " + std::to_string(*port) + " " : "";
}

std::string connection_text(const std::optional<ConnectionMatch>& connection) {
  if (!connection) return "";
  return *connection == ConnectionMatch::kNew ? "-m conntrack --ctstate NEW "
                                              : "-m conntrack --ctstate RELATED,ESTABLISHED --ctdir REPLY ";
}

std::string target_text(const Rule& rule, IpFamily family, bool with_random) {
  switch (rule.target) {
    case Target::kAccept:
      return "-j ACCEPT";
    case Target::kReturn:
      return "-j RETURN";
    case Target::kDrop:
      return "-j DROP";
    case Target::kRefuse:
      return family == IpFamily::kV4 ? "-j REJECT --reject-with icmp-admin-prohibited"
                                     : "-j REJECT --reject-with icmp6-adm-prohibited";
    case Target::kUntrack:
      return "-j CT --notrack";
    case Target::kClampMss:
      return "-j TCPMSS --clamp-mss-to-pmtu";
    case Target::kTranslateSource:
      return "-j SNAT --to-source " + rule.translation.value_or(IpAddress()).to_string();
    case Target::kMasqueradeFullyRandom:
      return with_random ? "-j MASQUERADE --random-fully" : "-j MASQUERADE";
    case Target::kMasquerade:
      break;
  }
  return "-j MASQUERADE";
}

std::string rest_text(IpFamily family, const Chain& chain, const Rule& rule, bool with_random) {
  const std::string_view syn = rule.target == Target::kClampMss ? "-m tcp --tcp-flags SYN,RST SYN " : "";
  return link_text('i', rule.in_link) + link_text('o', rule.out_link) + protocol_text(rule, family) +
         udp_text(rule.udp_port) + icmp_text(rule.icmp_type, family) + mark_text(rule.mark) +
         connection_text(rule.connection) + std::string(syn) + comment_of(chain) +
         target_text(rule, family, with_random);
}

}  // namespace

std::string_view table_of(Hook hook) {
  switch (hook) {
    case Hook::kRaw:
    case Hook::kRawOwn:
      return "raw";
    case Hook::kMangle:
    case Hook::kLeaving:
      return "mangle";
    case Hook::kInput:
    case Hook::kForward:
      return "filter";
    case Hook::kPostrouting:
      break;
  }
  return "nat";
}

std::string_view built_in_chain(Hook hook) {
  switch (hook) {
    case Hook::kRaw:
      return "PREROUTING";
    case Hook::kRawOwn:
      return "OUTPUT";
    case Hook::kInput:
      return "INPUT";
    case Hook::kMangle:
    case Hook::kForward:
      return "FORWARD";
    case Hook::kLeaving:
    case Hook::kPostrouting:
      break;
  }
  return "POSTROUTING";
}

std::vector<std::string> rule_texts(IpFamily family, const Chain& chain, const Rule& rule, bool with_random) {
  std::vector<std::string> out;
  for (const std::string& source : address_texts('s', rule.source)) {
    for (const std::string& destination : address_texts('d', rule.destination)) {
      out.push_back(source + destination + rest_text(family, chain, rule, with_random));
    }
  }
  return out;
}

std::vector<std::string> link_jump_texts(const RuleSet& set, const Chain& trunk) {
  std::vector<std::string> out;
  for (const Chain* chain : link_chains(set, trunk)) {
    const char option = chain->link->side == ChainLink::Side::kIn ? 'i' : 'o';
    out.push_back(link_text(option, LinkMatch{chain->link->name}) + comment_of(trunk) + "-j " +
                  chain->iptables_name);
  }
  return out;
}

std::string jump_text(const Chain& chain) { return comment_of(chain) + "-j " + chain.iptables_name; }

}  // namespace holdfast::firewall
