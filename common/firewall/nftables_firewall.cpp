#include "common/firewall/nftables_firewall.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
    case Hook::kRawOwn:
      return {"filter", nft::Hook::kOutput, kRawPriority};
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

nft::Chain chain_of(const Chain& chain) {
  if (chain.link) return {chain.nft_name, std::nullopt, chain.nft_comment};
  return {chain.nft_name, base_of(chain.hook), chain.nft_comment};
}

/// The sets that a set of rules needs, each of other ranges, by which they are found.
using RangeSets = std::map<std::vector<Cidr>, nft::AddressSet>;

std::vector<Cidr> all_ranges(const AddressMatch& match) {
  std::vector<Cidr> out = match.others;
  out.push_back(match.range);
  return out;
}

RangeSets range_sets(const RuleSet& set) {
  RangeSets out;
  for (const Chain& chain : set.chains) {
    for (const Rule& rule : chain.rules) {
      for (const std::optional<AddressMatch>* const match : {&rule.source, &rule.destination}) {
        if (!chain.wanted || !*match || (*match)->others.empty()) continue;
        const std::string name = "ranges-" + std::to_string(out.size() + 1);
        out.try_emplace(all_ranges(**match), nft::AddressSet{name, set.family});
      }
    }
  }
  return out;
}

nft::Side side_of(ChainLink::Side side) {
  return side == ChainLink::Side::kIn ? nft::Side::kSource : nft::Side::kDestination;
}

/// Where packets of links find their chains from a trunk.
struct Dispatch {
  nft::Side side;
  nft::LinkMap map;
};

std::vector<Dispatch> dispatches_of(const RuleSet& set, const Chain& trunk) {
  std::vector<Dispatch> out;
  for (const Chain* chain : link_chains(set, trunk)) {
    const nft::Side side = side_of(chain->link->side);
    if (out.empty() || out.back().side != side)
      out.push_back({side, {(side == nft::Side::kSource ? "in-" : "out-") + trunk.nft_name, {}}});
    out.back().map.chains[chain->link->name] = chain->nft_name;
  }
  return out;
}

nft::Statement match_of(const AddressMatch& match, nft::Side side, const RangeSets& sets) {
  const nft::Comparison comparison = match.inverted ? nft::Comparison::kNotEqual : nft::Comparison::kEqual;
  if (match.mask) return nft::MatchMaskedAddress{side, comparison, match.range.address(), *match.mask};
  if (match.others.empty()) return nft::MatchAddress{side, comparison, match.range};
  const nft::AddressSet& set = sets.at(all_ranges(match));
  return nft::MatchSet{side, comparison, set.family, set.name};
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

nft::Rule rule_of(const Rule& rule, const RangeSets& sets) {
  nft::Rule out;
  if (rule.mark) {
    out.statements.emplace_back(nft::MatchMark{nft::Comparison::kEqual, rule.mark->value, rule.mark->mask});
  }
  if (rule.in_link) out.statements.push_back(match_of(*rule.in_link, nft::Side::kSource));
  if (rule.out_link) out.statements.push_back(match_of(*rule.out_link, nft::Side::kDestination));
  if (rule.source) out.statements.push_back(match_of(*rule.source, nft::Side::kSource, sets));
  if (rule.destination) out.statements.push_back(match_of(*rule.destination, nft::Side::kDestination, sets));
  if (rule.udp_port) out.statements.emplace_back(nft::MatchUdpPort{*rule.udp_port});
  if (rule.icmp_type) out.statements.emplace_back(nft::MatchIcmpType{*rule.icmp_type});
  if (rule.connection) add_connection(*rule.connection, out);
  if (rule.target == Target::kClampMss) out.statements.emplace_back(nft::MatchTcpSyn{});
  if (rule.counted) out.statements.emplace_back(nft::Counter{});
  out.statements.push_back(statement_of(rule));
  return out;
}

/// Makes all that the rules of the set name, where no rule is: their chains and sets.
void make_objects(const RuleSet& set, const RangeSets& sets, nft::Transaction& transaction) {
  for (const Chain& chain : set.chains) {
    // also one that is to go: there is no way to delete a chain that may be absent
    transaction.put_chain(chain_of(chain));
  }
  for (const auto& [ranges, each] : sets) transaction.make_range_set(each, ranges);
  for (const Chain& chain : set.chains) {
    for (const Dispatch& dispatch : dispatches_of(set, chain)) transaction.make_link_map(dispatch.map);
  }
}

void write_chain(const RuleSet& set, const Chain& chain, const RangeSets& sets,
                 nft::Transaction& transaction) {
  if (!chain.wanted) {
    transaction.delete_chain(chain.nft_name);
    return;
  }
  for (const Dispatch& dispatch : dispatches_of(set, chain)) {
    transaction.append_rule(chain.nft_name, {{nft::JumpByLink{dispatch.side, dispatch.map.name}}, {}});
  }
  for (const Rule& rule : chain.rules) transaction.append_rule(chain.nft_name, rule_of(rule, sets));
}

}  // namespace

Status NftablesFirewall::put(const RuleSet& set) {
  left_.erase(set.family);
  HOLDFAST_TRY(const Picture there, read(set));
  Status written = write(set, &there);
  if (!written) written = write(set, nullptr);
  HOLDFAST_CHECK(std::move(written));
  HOLDFAST_TRY(Picture picture, read(set));
  for (const Chain& chain : set.chains) {
    const auto found = picture.chains.find(chain.nft_name);
    if (chain.wanted != (found != picture.chains.end())) return changed_meanwhile();
    if (chain.wanted && found->second.size() != dispatches_of(set, chain).size() + chain.rules.size())
      return changed_meanwhile();
  }
  left_[set.family] = {set, std::move(picture)};
  return {};
}

/// Over what is there, or without it instead of it: a chain of our name that has another hook, or is jumped
/// to, cannot be changed, only go with the table.
Status NftablesFirewall::write(const RuleSet& set, const Picture* there) {
  nft::Transaction transaction(table_of(set));
  transaction.put_table();
  if (there == nullptr) {
    transaction.delete_table();
    transaction.put_table();
  } else {
    // rules first, as they lead to the others
    for (const auto& [chain, rules] : there->chains) transaction.flush_chain(chain);
    for (const auto& [name, elements] : there->sets) transaction.delete_set(name);
    std::set<std::string_view> known;
    for (const Chain& chain : set.chains) known.insert(chain.nft_name);
    for (const auto& [chain, rules] : there->chains) {
      if (!known.contains(chain)) transaction.delete_chain(chain);
    }
  }
  const RangeSets sets = range_sets(set);
  make_objects(set, sets, transaction);
  for (const Chain& chain : set.chains) write_chain(set, chain, sets, transaction);
  return nft::commit(socket_, std::move(transaction));
}

Result<NftablesFirewall::Picture> NftablesFirewall::read(const RuleSet& set) {
  const nft::Table table = table_of(set);
  Picture out;
  HOLDFAST_TRY(out.chains, nft::list_all_rules(socket_, table.family, table.name));
  HOLDFAST_TRY(const std::vector<std::string> chains, nft::list_chains(socket_, table.family, table.name));
  for (const std::string& chain : chains) out.chains.try_emplace(chain);
  HOLDFAST_TRY(const std::vector<std::string> sets, nft::list_sets(socket_, table.family, table.name));
  for (const std::string& name : sets) {
    HOLDFAST_TRY(out.sets[name], nft::list_elements(socket_, table.family, table.name, name));
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
  HOLDFAST_TRY(const Picture picture, read(set));
  return picture == left->second.second;
}

Result<ChainRules> NftablesFirewall::read_chains(const RuleSet& set) {
  HOLDFAST_TRY(const Picture picture, read(set));
  ChainRules out;
  for (const Chain& chain : set.chains) {
    const auto found = picture.chains.find(chain.nft_name);
    if (found == picture.chains.end()) continue;
    std::vector<std::string>& texts = out[chain.nft_name];
    for (const nft::ListedRule& rule : found->second) texts.push_back(rule.comment + rule.expressions);
  }
  return out;
}

Result<std::vector<std::vector<RuleCount>>> NftablesFirewall::read_counts(const RuleSet& set) {
  HOLDFAST_TRY(const Picture picture, read(set));
  std::vector<std::vector<RuleCount>> out;
  for (const Chain& chain : set.chains) {
    std::vector<RuleCount>& counts = out.emplace_back();
    if (!chain.wanted) continue;
    const std::size_t before = dispatches_of(set, chain).size();
    const auto found = picture.chains.find(chain.nft_name);
    const std::size_t there = found == picture.chains.end() ? 0 : found->second.size();
    if (there != before + chain.rules.size()) return changed_meanwhile();
    for (std::size_t i = before; i < there; ++i) {
      counts.push_back({found->second[i].count.packets, found->second[i].count.bytes});
    }
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
