#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/exec.h"
#include "common/firewall/firewall.h"
#include "common/firewall/rule_set.h"
#include "common/netlink/socket.h"

namespace holdfast::gateway {

enum class FirewallKind : std::uint8_t {
  kAuto,  ///< nftables where the kernel has it: there a drop counts whatever others accept
  kIptables,
  kNftables,
};

/// Keeps a node's rules in the kernel. Its calls block, for as long as iptables waits for a lock of others:
/// for a worker's thread.
class NodeFirewall {
 public:
  /// `executor` outlives it.
  NodeFirewall(FirewallKind kind, Executor& executor) : kind_(kind), executor_(executor) {}

  struct Look {
    Status done;                ///< of the first set that failed; the others were put all the same
    std::size_t mended = 0;     ///< sets that others had changed
    std::uint64_t refused = 0;  ///< packets dropped by rules that count, since the sets were put
  };
  /// Puts the sets where they are not whole. Sets without a wanted chain are removed.
  Look look(const std::vector<firewall::RuleSet>& sets);

 private:
  Status choose(const std::vector<firewall::RuleSet>& sets);
  Status put(const firewall::RuleSet& set, Look& out);

  FirewallKind kind_;
  Executor& executor_;
  std::unique_ptr<nl::Socket> socket_;
  std::unique_ptr<firewall::Firewall> firewall_;
  std::vector<firewall::RuleSet> put_;  // as they were last put or removed
};

}  // namespace holdfast::gateway
