#include "common/firewall/nftables_firewall.h"

#include <string>

#include "common/netlink/nftables.h"

namespace holdfast::firewall {
namespace {

namespace nft = nl::nft;

// Source: linux/netfilter_ipv4.h, NF_IP_PRI_*.
constexpr int kRawPriority = -300;
constexpr int kManglePriority = -150;
constexpr int kFilterPriority = 0;
constexpr int kSourceNatPriority = 100;

nft::Table table_of(const RuleSet& set) {
  return {set.family == IpFamily::kV4 ? nft::Family::kIp : nft::Family::kIp6, set.nft_table,
          set.nft_table_comment};
}

nft::BaseChain base_of(Hook hook) {
  switch (hook) {
    case Hook::kRaw:
      return {"filter", nft::Hook::kPrerouting, kRawPriority};
    case Hook::kMangle:
      return {"filter", nft::Hook::kForward, kManglePriority};
    case Hook::kInput:
      return {"filter", nft::Hook::kInput, kFilterPriority};
    case Hook::kForward:
      return {"filter", nft::Hook::kForward, kFilterPriority};
    case Hook::kLeaving:
      return {"filter", nft::Hook::kPostrouting, kManglePriority};
    case Hook::kPostrouting:
      break;
  }
  return {"nat", nft::Hook::kPostrouting, kSourceNatPriority};
}

nft::Chain chain_of(const Chain& chain) { return {chain.nft_name, base_of(chain.hook), chain.nft_comment}; }

nft::Statement match_of(const AddressMatch& match, nft::Side side) {
  const nft::Comparison comparison = match.inverted ? nft::Comparison::kNotEqual : nft::Comparison::kEqual;
  if (match.mask) return nft::MatchMaskedAddress{side, comparison, match.range.address(), *match.mask};
  return nft::MatchAddress{side, comparison, match.range};
}

nft::Statement match_of(const LinkMatch& match, nft::Side side) {
  return nft::MatchLinkName{side, nft::Comparison::kEqual, match.name, match.prefix};
}

void add_connection(ConnectionMatch connection, nft::Rule& rule) {
  using State = nft::MatchConnectionState;
  if (connection == ConnectionMatch::kNew) {
    rule.statements.emplace_back(State{State::kNew});
    return;
  }
  rule.statements.emplace_back(State{State::kEstablished | State::kRelated});
  rule.statements.emplace_back(nft::MatchReplyDirection{});
}

nft::Statement statement_of(const Rule& rule) {
  switch (rule.target) {
    case Target::kAccept:
      return nft::Verdict{nft::Verdict::Kind::kAccept, {}};
    case Target::kReturn:
      return nft::Verdict{nft::Verdict::Kind::kReturn, {}};
    case Target::kDrop:
      return nft::Verdict{nft::Verdict::Kind::kDrop, {}};
    case Target::kRefuse:
      return nft::RejectProhibited{};
    case Target::kUntrack:
      return nft::NoTrack{};
    case Target::kClampMss:
      return nft::ClampMss{};
    case Target::kTranslateSource:
      return nft::TranslateSource{rule.translation.value_or(IpAddress())};
    case Target::kMasqueradeFullyRandom:
      return nft::Masquerade{true};
    case Target::kMasquerade:
      break;
  }
  return nft::Masquerade{false};
}

nft::Rule rule_of(const Rule& rule) {
  nft::Rule out;
  if (rule.mark) {
    out.statements.emplace_back(nft::MatchMark{nft::Comparison::kEqual, rule.mark->value, rule.mark->mask});
  }
  if (rule.in_link) out.statements.push_back(match_of(*rule.in_link, nft::Side::kSource));
  if (rule.out_link) out.statements.push_back(match_of(*rule.out_link, nft::Side::kDestination));
  if (rule.source) out.statements.push_back(match_of(*rule.source, nft::Side::kSource));
  if (rule.destination) out.statements.push_back(match_of(*rule.destination, nft::Side::kDestination));
  if (rule.udp_port) out.statements.emplace_back(nft::MatchUdpPort{*rule.udp_port});
  if (rule.icmp_type) out.statements.emplace_back(nft::MatchIcmpType{*rule.icmp_type});
  if (rule.connection) add_connection(*rule.connection, out);
  if (rule.target == Target::kClampMss) out.statements.emplace_back(nft::MatchTcpSyn{});
  if (rule.counted) out.statements.emplace_back(nft::Counter{});
  out.statements.push_back(statement_of(rule));
  return out;
}

}  // namespace

Status NftablesFirewall::put(const RuleSet& set) {
  left_.erase(set.family);
  Status written = write(set, /*anew=*/false);
  if (!written) written = write(set, /*anew=*/true);
  HOLDFAST_CHECK(std::move(written));
  HOLDFAST_TRY(Picture picture, read(set));
  for (std::size_t i = 0; i < picture.size(); ++i) {
    const std::size_t rules = set.chains[i].wanted ? set.chains[i].rules.size() : 0;
    if (picture[i].size() != rules) return changed_meanwhile();
  }
  left_[set.family] = {set, std::move(picture)};
  return {};
}

Status NftablesFirewall::write(const RuleSet& set, bool anew) {
  nft::Transaction transaction(table_of(set));
  transaction.put_table();
  if (anew) {
    // a chain of our name that has another hook, or is jumped to, cannot be changed, only go with the table
    transaction.delete_table();
    transaction.put_table();
  }
  for (const Chain& chain : set.chains) {
    // also one that is to go: there is no way to delete a chain that may be absent
    transaction.put_chain(chain_of(chain));
    transaction.flush_chain(chain.nft_name);
    if (!chain.wanted) {
      transaction.delete_chain(chain.nft_name);
      continue;
    }
    for (const Rule& rule : chain.rules) transaction.append_rule(chain.nft_name, rule_of(rule));
  }
  return nft::commit(socket_, std::move(transaction));
}

Result<NftablesFirewall::Picture> NftablesFirewall::read(const RuleSet& set) {
  const nft::Table table = table_of(set);
  Picture out;
  for (const Chain& chain : set.chains) {
    HOLDFAST_TRY(std::vector<nft::ListedRule> rules,
                 nft::list_rules(socket_, table.family, table.name, chain.nft_name));
    out.push_back(std::move(rules));
  }
  return out;
}

Status NftablesFirewall::make_table(const RuleSet& set) {
  nft::Transaction transaction(table_of(set));
  transaction.put_table();
  return nft::commit(socket_, std::move(transaction));
}

Result<bool> NftablesFirewall::is_whole(const RuleSet& set) {
  const auto left = left_.find(set.family);
  if (left == left_.end() || left->second.first != set) return false;
  const nft::Table table = table_of(set);
  for (const Chain& chain : set.chains) {
    HOLDFAST_TRY(const bool there, nft::has_chain(socket_, table.family, table.name, chain.nft_name));
    if (there != chain.wanted) return false;
  }
  HOLDFAST_TRY(const Picture picture, read(set));
  return picture == left->second.second;
}

Result<ChainRules> NftablesFirewall::read_chains(const RuleSet& set) {
  const nft::Table table = table_of(set);
  ChainRules out;
  for (const Chain& chain : set.chains) {
    HOLDFAST_TRY(const bool there, nft::has_chain(socket_, table.family, table.name, chain.nft_name));
    if (!there) continue;
    HOLDFAST_TRY(const std::vector<nft::ListedRule> rules,
                 nft::list_rules(socket_, table.family, table.name, chain.nft_name));
    std::vector<std::string>& texts = out[chain.nft_name];
    for (const nft::ListedRule& rule : rules) texts.push_back(rule.comment + rule.expressions);
  }
  return out;
}

Result<std::vector<std::vector<RuleCount>>> NftablesFirewall::read_counts(const RuleSet& set) {
  HOLDFAST_TRY(const Picture picture, read(set));
  std::vector<std::vector<RuleCount>> out;
  for (std::size_t i = 0; i < picture.size(); ++i) {
    if (set.chains[i].wanted && picture[i].size() != set.chains[i].rules.size()) return changed_meanwhile();
    std::vector<RuleCount>& counts = out.emplace_back();
    for (const nft::ListedRule& rule : picture[i]) counts.push_back({rule.count.packets, rule.count.bytes});
  }
  return out;
}

Status NftablesFirewall::clean(const RuleSet& set) {
  left_.erase(set.family);
  nft::Transaction transaction(table_of(set));
  // made first: a table that is absent cannot be deleted
  transaction.put_table();
  transaction.delete_table();
  Status cleaned = nft::commit(socket_, std::move(transaction));
  if (!cleaned && cleaned.error().code == Code::kUnimplemented) return {};
  return cleaned;
}

}  // namespace holdfast::firewall
