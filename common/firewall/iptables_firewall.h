#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/exec.h"
#include "common/base/result.h"
#include "common/firewall/firewall.h"
#include "common/firewall/iptables_programs.h"
#include "common/firewall/iptables_save.h"

namespace holdfast::firewall {

/// By iptables-save(8) and iptables-restore(8), of the namespace of the calling thread:
///
///     table raw (kRaw, kRawOwn), mangle (kMangle, kLeaving), filter (kInput, kForward) or nat (kPostrouting)
///       PREROUTING, raw's OUTPUT, INPUT, mangle's POSTROUTING    our jump, before the rules of others
///       FORWARD of a chain that is to be `first`    the same
///       FORWARD, nat's POSTROUTING                  our jump, appended behind the rules of others
///                                                   rules with our comment that are no jump of ours are removed
///       <iptables_name>            the rules; of a trunk first a jump for each link's chain
///       <iptables_name>            of a link's chain: the rules. Chains of links that the set does not have
///                                  are removed, known by what their names begin with
///
/// Of a put each table is made whole by itself, raw and nat first and filter last; of a removal filter first.
/// Of the two iptables that machines have it is the one that find_iptables() finds at the first use, for
/// good. A put is one run of each program a family (about 5 ms); is_whole is one of iptables-save a table.
/// Errors beside Firewall's: kNotFound when iptables is not installed.
class IptablesFirewall final : public Firewall {
 public:
  /// `executor` outlives it.
  explicit IptablesFirewall(Executor& executor) : executor_(executor) {}
  /// By these, which run by the same executor.
  IptablesFirewall(Executor& executor, IptablesPrograms programs);

  Status put(const RuleSet& set) override;
  Result<bool> is_whole(const RuleSet& set) override;
  Result<ChainRules> read_chains(const RuleSet& set) override;
  Result<std::vector<std::vector<RuleCount>>> read_counts(const RuleSet& set) override;
  Status clean(const RuleSet& set) override;
  /// Removes the set's chains, and the ways into them, from the iptables that this is not: what was put there
  /// counts beside ours. Accepts in FORWARD stay where its policy there is no accept: no other rule undoes
  /// that. Succeeds where there is nothing, or one of the two alone. Errors: as the others.
  Status clean_other(const RuleSet& set);

  /// Those iptables of this machine that drop what is forwarded and none of their rules decides.
  struct ForwardDrops {
    std::vector<std::string> own{};  ///< this one, as it is called: "iptables". None: it lets through
    std::vector<std::string> others{};
  };
  /// Makes no table. One that is not installed, or that the kernel does not have, drops nothing. Errors: as
  /// the others.
  Result<ForwardDrops> forward_drops(IpFamily family);

 private:
  /// Of the set's chains and jumps, as iptables-save spelled it; by family.
  using Picture = std::vector<std::string>;

  Result<IptablesPrograms> programs();
  Result<SavedTables> read(const RuleSet& set, bool with_counts = false);
  Status restore(const RuleSet& set, const SavedTables& there, bool with_random);

  Executor& executor_;
  std::optional<IptablesPrograms> found_;
  bool random_known_missing_ = false;                     // this iptables does not have --random-fully
  std::map<IpFamily, std::pair<RuleSet, Picture>> left_;  // by the last put, and what then stood there
};

/// The table `filter`; an empty one when there is no iptables, or no such table. Errors: as IptablesFirewall.
Result<SavedTable> iptables_filter_table(Executor& executor, IpFamily family);

/// Whether the FORWARD chain of iptables lets through what no rule decides. An accept in another table does
/// not undo its DROP. True of an empty table.
[[nodiscard]] bool forwards_by_default(const SavedTable& filter);

}  // namespace holdfast::firewall
