#include "common/firewall/iptables_firewall.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "common/firewall/iptables_rules.h"

namespace holdfast::firewall {
namespace {

/// Those of the set, in the order in which they are put. Each is committed by itself: what lets packets
/// through comes last, so that one that is refused leaves nothing open, and no packet passes untranslated.
std::vector<std::string_view> tables_of(const RuleSet& set) {
  std::vector<std::string_view> out;
  for (const std::string_view table : {"raw", "nat", "mangle", "filter"}) {
    const bool used = std::ranges::any_of(
        set.chains, [table](const Chain& chain) { return table_of(chain.hook) == table; });
    if (used) out.push_back(table);
  }
  return out;
}

/// What others accept before it would not meet it.
bool goes_first(const Chain& chain) {
  const Hook hook = chain.hook;
  return hook == Hook::kInput || hook == Hook::kRaw || hook == Hook::kRawOwn || hook == Hook::kLeaving ||
         (hook == Hook::kForward && chain.first);
}

/// Whether a rule bears the chain's comment, with quotes where iptables-save needs them.
bool bears_comment(const Chain& chain, const std::string& rule) {
  return rule.find("--comment \"" + chain.iptables_comment + "\" ") != std::string::npos ||
         rule.find("--comment " + chain.iptables_comment + " ") != std::string::npos;
}

/// The rules of the built-in chain that lead into ours, whatever else they say; and those that bear its
/// comment: so do flannel's own of before version 0.20, which had no chain.
std::vector<std::string> ways_into(const Chain& chain, const SavedTable& table) {
  std::vector<std::string> out;
  const auto rules = table.rules.find(built_in_chain(chain.hook));
  if (rules == table.rules.end()) return out;
  const std::string target = "-j " + chain.iptables_name;
  for (const std::string& rule : rules->second) {
    const bool leads = rule.ends_with(" " + target) || rule == target;
    if (leads || bears_comment(chain, rule)) out.push_back(rule);
  }
  return out;
}

/// Whether the jump stands where it is to stand.
bool is_in_place(const Chain& chain, const SavedTable& table, const std::string& jump) {
  const auto rules = table.rules.find(built_in_chain(chain.hook));
  return !goes_first(chain) || (rules != table.rules.end() && rules->second.front() == jump);
}

const SavedTable& find_table(const SavedTables& tables, std::string_view name) {
  static const SavedTable none;
  const auto found = tables.find(name);
  return found == tables.end() ? none : found->second;
}

/// Links' chains of an earlier put that the set does not have.
std::vector<std::string> forgotten_chains(const RuleSet& set, const SavedTable& there) {
  std::vector<std::string> out;
  if (set.iptables_links.empty()) return out;
  std::set<std::string_view> known;
  for (const Chain& chain : set.chains) known.insert(chain.iptables_name);
  for (const auto& [chain, policy] : there.policies) {
    if (chain.starts_with(set.iptables_links) && !known.contains(chain)) out.push_back(chain);
  }
  return out;
}

/// All rules of a chain, as iptables-save spells them, from behind the chain's name.
std::vector<std::string> chain_texts(const RuleSet& set, const Chain& chain, bool with_random) {
  std::vector<std::string> out = link_jump_texts(set, chain);
  for (const Rule& rule : chain.rules) {
    for (std::string& text : rule_texts(set.family, chain, rule, with_random)) out.push_back(std::move(text));
  }
  return out;
}

/// This line makes the chain, or empties one that is there.
std::string begin_line(const std::string& chain) { return ":" + chain + " - [0:0]\n"; }

std::string delete_lines(const std::string& chain) { return begin_line(chain) + "-X " + chain + "\n"; }

/// The lines that make one chain be as told, in the language of iptables-restore.
std::string chain_lines(const RuleSet& set, const Chain& chain, const SavedTable& there, bool with_random) {
  const std::string built_in(built_in_chain(chain.hook));
  const bool exists = there.policies.contains(chain.iptables_name);
  const std::vector<std::string> jumps = chain.link ? std::vector<std::string>() : ways_into(chain, there);
  if (!chain.wanted && !exists && jumps.empty()) return "";
  // that of a link's chain stands with its trunk, which leads there
  const bool is_begun = chain.wanted && chain.link;
  std::string out = is_begun ? "" : begin_line(chain.iptables_name);
  const bool keep = chain.wanted && jumps.size() == 1 && jumps.front() == jump_text(chain) &&
                    is_in_place(chain, there, jumps.front());
  for (const std::string& jump : jumps) {
    if (!keep) out.append("-D ").append(built_in).append(" ").append(jump).append("\n");
  }
  if (!chain.wanted) return out + "-X " + chain.iptables_name + "\n";
  for (const Chain* of_link : link_chains(set, chain)) out += begin_line(of_link->iptables_name);
  for (const std::string& text : chain_texts(set, chain, with_random)) {
    out += "-A " + chain.iptables_name + " " + text + "\n";
  }
  if (chain.link || keep) return out;
  return out + (goes_first(chain) ? "-I " : "-A ") + built_in + " " + jump_text(chain) + "\n";
}

std::string restore_text(const RuleSet& set, const SavedTables& there, bool with_random) {
  std::string out;
  std::vector<std::string_view> tables = tables_of(set);
  if (std::ranges::none_of(set.chains, &Chain::wanted)) std::ranges::reverse(tables);
  for (const std::string_view table : tables) {
    std::string lines;
    for (const Chain& chain : set.chains) {
      if (table_of(chain.hook) == table)
        lines += chain_lines(set, chain, find_table(there, table), with_random);
    }
    // nothing leads to them any more
    for (const std::string& chain : forgotten_chains(set, find_table(there, table)))
      lines += delete_lines(chain);
    if (!lines.empty()) out += "*" + std::string(table) + "\n" + lines + "COMMIT\n";
  }
  return out;
}

/// All lines that concern the set.
std::vector<std::string> picture_of(const RuleSet& set, const SavedTables& tables) {
  std::vector<std::string> out;
  for (const Chain& chain : set.chains) {
    const SavedTable& table = find_table(tables, table_of(chain.hook));
    for (const std::string& jump : chain.link ? std::vector<std::string>() : ways_into(chain, table)) {
      out.push_back((is_in_place(chain, table, jump) ? "jump " : "late jump ") + jump);
    }
    if (!table.policies.contains(chain.iptables_name)) continue;
    out.push_back("chain " + chain.iptables_name);
    const auto rules = table.rules.find(chain.iptables_name);
    if (rules != table.rules.end()) out.insert(out.end(), rules->second.begin(), rules->second.end());
  }
  for (const std::string_view table : tables_of(set)) {
    for (const std::string& chain : forgotten_chains(set, find_table(tables, table)))
      out.push_back("forgotten " + chain);
  }
  return out;
}

/// The picture that a put leaves if iptables-save spells rules as we do.
std::vector<std::string> expected_picture(const RuleSet& set, bool with_random) {
  std::vector<std::string> out;
  for (const Chain& chain : set.chains) {
    if (!chain.wanted) continue;
    if (!chain.link) out.push_back("jump " + jump_text(chain));
    out.push_back("chain " + chain.iptables_name);
    for (std::string& text : chain_texts(set, chain, with_random)) out.push_back(std::move(text));
  }
  return out;
}

/// What each rule of a chain has met, of which `there` is what each of its lines has.
Result<std::vector<RuleCount>> rule_counts(const RuleSet& set, const Chain& chain,
                                           const std::vector<SavedTable::Count>& there) {
  std::vector<RuleCount> out;
  std::size_t line = link_jump_texts(set, chain).size();
  for (const Rule& rule : chain.rules) {
    RuleCount& sum = out.emplace_back();
    const std::size_t end = line + rule_texts(set.family, chain, rule, false).size();
    if (end > there.size()) return changed_meanwhile();
    for (; line < end; ++line) {
      if (rule.counted) sum = {sum.packets + there[line].packets, sum.bytes + there[line].bytes};
    }
  }
  if (line != there.size()) return changed_meanwhile();
  return out;
}

RuleSet without_chains(RuleSet set) {
  for (Chain& chain : set.chains) chain.wanted = false;
  return set;
}

}  // namespace

IptablesFirewall::IptablesFirewall(Executor& executor, IptablesPrograms programs)
    : executor_(executor), found_(std::move(programs)) {}

Result<IptablesPrograms> IptablesFirewall::programs() {
  if (!found_) {
    HOLDFAST_TRY(found_, find_iptables(executor_));
  }
  return *found_;
}

Result<SavedTables> IptablesFirewall::read(const RuleSet& set, bool with_counts) {
  HOLDFAST_TRY(const IptablesPrograms iptables, programs());
  return iptables.save(set.family, tables_of(set), with_counts);
}

Status IptablesFirewall::restore(const RuleSet& set, const SavedTables& there, bool with_random) {
  const std::string text = restore_text(set, there, with_random);
  if (text.empty()) return {};
  HOLDFAST_TRY(const IptablesPrograms iptables, programs());
  return iptables.restore(set.family, text);
}

Status IptablesFirewall::put(const RuleSet& set) {
  HOLDFAST_TRY(const SavedTables there, read(set));
  left_.erase(set.family);
  Status restored = restore(set, there, !random_known_missing_);
  if (!restored && !random_known_missing_ &&
      restored.error().message.find("random-fully") != std::string::npos) {
    random_known_missing_ = true;
    restored = restore(set, there, false);
  }
  HOLDFAST_CHECK(std::move(restored));
  HOLDFAST_TRY(const SavedTables now, read(set));
  Picture picture = picture_of(set, now);
  // iptables may spell a rule otherwise, but never in another number of lines
  if (picture.size() != expected_picture(set, !random_known_missing_).size()) return changed_meanwhile();
  left_[set.family] = {set, std::move(picture)};
  return {};
}

Result<bool> IptablesFirewall::is_whole(const RuleSet& set) {
  HOLDFAST_TRY(const SavedTables there, read(set));
  const Picture picture = picture_of(set, there);
  const auto left = left_.find(set.family);
  if (left != left_.end() && left->second.first == set) return picture == left->second.second;
  return picture == expected_picture(set, !random_known_missing_);
}

Result<ChainRules> IptablesFirewall::read_chains(const RuleSet& set) {
  HOLDFAST_TRY(const SavedTables there, read(set));
  ChainRules out;
  for (const Chain& chain : set.chains) {
    const SavedTable& table = find_table(there, table_of(chain.hook));
    std::vector<std::string> jumps = chain.link ? std::vector<std::string>() : ways_into(chain, table);
    if (!jumps.empty()) out[std::string(built_in_chain(chain.hook))] = std::move(jumps);
    if (!table.policies.contains(chain.iptables_name)) continue;
    const auto rules = table.rules.find(chain.iptables_name);
    out[chain.iptables_name] = rules == table.rules.end() ? std::vector<std::string>() : rules->second;
  }
  return out;
}

Result<std::vector<std::vector<RuleCount>>> IptablesFirewall::read_counts(const RuleSet& set) {
  HOLDFAST_TRY(const SavedTables there, read(set, /*with_counts=*/true));
  std::vector<std::vector<RuleCount>> out;
  for (const Chain& chain : set.chains) {
    std::vector<RuleCount>& counts = out.emplace_back();
    if (!chain.wanted) continue;
    const SavedTable& table = find_table(there, table_of(chain.hook));
    const auto found = table.counts.find(chain.iptables_name);
    HOLDFAST_TRY(counts,
                 rule_counts(set, chain,
                             found == table.counts.end() ? std::vector<SavedTable::Count>() : found->second));
  }
  return out;
}

Status IptablesFirewall::clean(const RuleSet& set) {
  left_.erase(set.family);
  HOLDFAST_TRY(const IptablesPrograms iptables, programs());
  if (!iptables.is_installed(set.family)) return {};
  const RuleSet nothing = without_chains(set);
  HOLDFAST_TRY(const SavedTables there, read(nothing));
  return restore(nothing, there, false);
}

Status IptablesFirewall::clean_other(const RuleSet& set) {
  HOLDFAST_TRY(const IptablesPrograms iptables, programs());
  for (const IptablesPrograms& other : other_iptables(executor_, iptables, set.family)) {
    const Result<SavedTables> there = other.save_all(set.family);
    // a kernel that does not have this kind
    if (!there && there.error().code == Code::kInternal) continue;
    if (!there) return tl::unexpected(there.error());
    RuleSet nothing = without_chains(set);
    if (!forwards_by_default(find_table(*there, "filter"))) {
      std::erase_if(nothing.chains, [](const Chain& chain) { return chain.hook == Hook::kForward; });
      nothing.iptables_links.clear();
    }
    const std::string text = restore_text(nothing, *there, false);
    if (!text.empty()) HOLDFAST_CHECK(other.restore(set.family, text));
  }
  return {};
}

Result<IptablesFirewall::ForwardDrops> IptablesFirewall::forward_drops(IpFamily family) {
  HOLDFAST_TRY(const IptablesPrograms iptables, programs());
  ForwardDrops out;
  const auto ask = [family](const IptablesPrograms& one, std::vector<std::string>& drops) -> Status {
    const Result<SavedTable> filter = one.look_at(family, "filter");
    // a kernel that does not have this kind
    if (!filter && filter.error().code == Code::kInternal) return {};
    if (!filter) return tl::unexpected(filter.error());
    if (!forwards_by_default(*filter)) drops.push_back(one.name(family));
    return {};
  };
  if (iptables.is_installed(family)) HOLDFAST_CHECK(ask(iptables, out.own));
  for (const IptablesPrograms& other : other_iptables(executor_, iptables, family)) {
    HOLDFAST_CHECK(ask(other, out.others));
  }
  return out;
}

Result<SavedTable> iptables_filter_table(Executor& executor, IpFamily family) {
  HOLDFAST_TRY(const IptablesPrograms iptables, find_iptables(executor));
  if (!iptables.is_installed(family)) return SavedTable{};
  HOLDFAST_TRY(const auto tables, iptables.save(family, {"filter"}));
  return find_table(tables, "filter");
}

bool forwards_by_default(const SavedTable& filter) {
  const auto policy = filter.policies.find("FORWARD");
  return policy == filter.policies.end() || policy->second == "ACCEPT";
}

}  // namespace holdfast::firewall
