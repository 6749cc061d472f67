#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/exec.h"
#include "common/firewall/back_end.h"
#include "common/firewall/rule_set.h"

namespace holdfast::firewall {

/// Keeps a program's rules in the kernel, and counts what they refuse. Its calls block, for as long as
/// iptables waits for a lock of others: for a worker's thread.
class RuleKeeper {
 public:
  /// `executor` outlives it.
  RuleKeeper(BackEnd back_end, Executor& executor) : back_end_(back_end), executor_(executor) {}

  struct Look {
    Status done;                ///< of the first set that failed; the others were put all the same
    std::size_t mended = 0;     ///< sets that others had changed
    std::uint64_t refused = 0;  ///< packets dropped by rules that count, since the sets were put
  };
  /// Puts the sets where they are not whole. Sets without a wanted chain are removed. With the first ones the
  /// back end is chosen; what the other one has of them goes when they stand. At each look it is seen whether
  /// what they accept is let through (check_forwarded()): with BackEnd::kAuto they go over to iptables where
  /// that makes it so, and stay there.
  Look look(const std::vector<RuleSet>& sets);

 private:
  Status choose(const std::vector<RuleSet>& sets);
  Status see_forwarded(const std::vector<RuleSet>& sets);
  Status put_all(const std::vector<RuleSet>& sets, Look& out);
  Status put(const RuleSet& set, Look& out);

  BackEnd back_end_;
  Executor& executor_;
  std::optional<ChosenFirewall> chosen_;
  bool cleaned_ = false;      // of what the other back end had
  std::vector<RuleSet> put_;  // as they were last put or removed
};

}  // namespace holdfast::firewall
