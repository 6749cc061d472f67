#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/exec.h"
#include "common/firewall/back_end.h"
#include "common/netlink/socket.h"
#include "common/wireguard/tunnel.h"
#include "egw-gateway/core/reachability_keeper.h"
#include "egw-gateway/tunnel/tunnel_keeper.h"

namespace holdfast::gateway {

/// What of a gateway's work may block: its rules and its tunnels. For a worker's thread, in the gateway's
/// network namespace.
class CoreWorks {
 public:
  /// `wireguard` and `executor` outlive it. `socket` is one of Protocol::kRoute.
  CoreWorks(firewall::BackEnd back_end, Executor& executor, wireguard::WireGuard& wireguard,
            nl::Socket socket);

  struct Wanted {
    Reachability reachability;
    std::vector<Tunnel> tunnels;
  };
  struct Look {
    ReachabilityKeeper::Look rules;
    TunnelKeeper::Look tunnels;
  };
  /// Looks at all, and puts right what is not. No tunnel is made before rules stand.
  Look look(const Wanted& wanted);

  /// As TunnelKeeper::concerned_by(); for any thread.
  [[nodiscard]] bool concerned_by(const nl::Link& link) const { return tunnels_.concerned_by(link); }

 private:
  [[nodiscard]] std::vector<firewall::RuleSet> sets() const;
  Status choose();
  Status clean_others();

  firewall::BackEnd back_end_;
  Executor& executor_;
  std::vector<IpFamily> families_;
  std::optional<firewall::ChosenFirewall> firewall_;
  std::optional<ReachabilityKeeper> rules_;
  bool ruled_ = false;    // rules were put
  bool cleaned_ = false;  // of what the other back end had
  TunnelKeeper tunnels_;
};

}  // namespace holdfast::gateway
