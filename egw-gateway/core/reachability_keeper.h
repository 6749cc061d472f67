#pragma once

#include <map>
#include <vector>

#include "common/base/result.h"
#include "common/firewall/firewall.h"
#include "egw-gateway/core/reachability.h"

namespace holdfast::gateway {

/// Keeps the rules of a gateway in the kernel: puts them when what is wanted changes, and again when somebody
/// has changed them. Its calls block, for as long as iptables waits for a lock of others: for a worker's
/// thread.
class ReachabilityKeeper {
 public:
  /// `families` of those that the kernel has. `firewall` outlives it.
  ReachabilityKeeper(firewall::Firewall& firewall, std::vector<IpFamily> families)
      : firewall_(&firewall), families_(std::move(families)) {}

  /// Puts them there from now on, where nothing of theirs stands yet; the one before is not asked any more.
  /// Counts go on from the last look. `firewall` outlives it.
  void use(firewall::Firewall& firewall);

  struct Look {
    Status done;             ///< of the first family that failed; the others were put all the same
    std::size_t mended = 0;  ///< families whose rules were not as this object had left them
    PassageCounts counts{};  ///< since the object was made; packets between the last look and a change of
                             ///< the rules by others are lost
  };
  /// Looks at the rules, and puts them where they are not those of `wanted`.
  Look look(const Reachability& wanted);

  /// Removes them, whoever made them. Errors: the first family's.
  Status clean();

 private:
  struct Kept {
    ReachabilityRules rules;
    bool put = false;
    PassageCounts before{};  // of rules that are gone
    PassageCounts now{};     // of those that stand, as last read
  };
  Status look_at(Kept& kept, ReachabilityRules rules, std::size_t& mended);
  void count(Kept& kept);

  firewall::Firewall* firewall_;
  const std::vector<IpFamily> families_;
  std::map<IpFamily, Kept> kept_;
};

}  // namespace holdfast::gateway
