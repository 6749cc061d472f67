#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/firewall/rule_set.h"

namespace holdfast::firewall {

/// Rules in order by the names of their chains, each as a back end spells it: only to be compared with what
/// the same back end reads elsewhere, and to be counted.
using ChainRules = std::map<std::string, std::vector<std::string>>;

/// What a rule has met since it was put.
struct RuleCount {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;

  bool operator==(const RuleCount&) const = default;
};

/// Keeps rule sets in the kernel. iptables_firewall.h and nftables_firewall.h are the two; one test holds
/// both to this. Rules of others, in whatever table, are never touched.
class Firewall {
 public:
  Firewall() = default;
  Firewall(const Firewall&) = delete;
  Firewall& operator=(const Firewall&) = delete;
  virtual ~Firewall() = default;

  /// Makes the set's chains hold these rules in this order and nothing else. No packet meets half a chain.
  /// Errors: kUnavailable when another program holds the tables for 5 s; kAborted when somebody changed them
  /// while they were put; the back end's own words.
  virtual Status put(const RuleSet& set) = 0;

  /// Whether all is as put() left it: nothing missing, nothing added. Without a put() of this object before:
  /// whether that can be told for sure; false costs one put(), which changes no meaning.
  virtual Result<bool> is_whole(const RuleSet& set) = 0;

  /// What stands in the set's chains, and of the kernel's own chains what leads there. A chain that is not
  /// there is not in it. Changes nothing.
  virtual Result<ChainRules> read_chains(const RuleSet& set) = 0;

  /// For each chain of the set in turn, what each of its rules has met; nothing for a rule that is not
  /// counted. put() begins at 0 again. Errors: kAborted when other rules than the set's stand there.
  virtual Result<std::vector<std::vector<RuleCount>>> read_counts(const RuleSet& set) = 0;

  /// Removes the set's chains and the ways into them, whoever made them. Nothing there, and a machine
  /// without this kind of firewall, succeed.
  virtual Status clean(const RuleSet& set) = 0;
};

/// The error of a put that somebody has undone before it was looked at.
[[nodiscard]] inline tl::unexpected<Error> changed_meanwhile() {
  return fail(Code::kAborted, "somebody changed our rules while they were put; they are put again");
}

}  // namespace holdfast::firewall
