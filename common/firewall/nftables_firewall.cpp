#include "common/firewall/nftables_firewall.h"

#include <string>

#include "common/netlink/nftables.h"

namespace holdfast::firewall {
namespace {

namespace nft = nl::nft;

constexpr int kFilterPriority = 0;
constexpr int kSourceNatPriority = 100;

nft::Table table_of(const RuleSet& set) {
  return {set.family == IpFamily::kV4 ? nft::Family::kIp : nft::Family::kIp6, set.nft_table,
          set.nft_table_comment};
}

nft::Chain chain_of(const Chain& chain) {
  const nft::BaseChain base = chain.hook == Hook::kForward
                                  ? nft::BaseChain{"filter", nft::Hook::kForward, kFilterPriority}
                                  : nft::BaseChain{"nat", nft::Hook::kPostrouting, kSourceNatPriority};
  return {chain.nft_name, base, chain.nft_comment};
}

nft::MatchAddress match_of(const AddressMatch& match, nft::Side side) {
  return {side, match.inverted ? nft::Comparison::kNotEqual : nft::Comparison::kEqual, match.range};
}

nft::Statement statement_of(Target target) {
  switch (target) {
    case Target::kAccept:
      return nft::Verdict{nft::Verdict::Kind::kAccept, {}};
    case Target::kReturn:
      return nft::Verdict{nft::Verdict::Kind::kReturn, {}};
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
  if (rule.source) out.statements.emplace_back(match_of(*rule.source, nft::Side::kSource));
  if (rule.destination) out.statements.emplace_back(match_of(*rule.destination, nft::Side::kDestination));
  out.statements.push_back(statement_of(rule.target));
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
