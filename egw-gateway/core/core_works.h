#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
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
  /// What outlives it.
  struct Tools {
    Executor& executor;
    Clock& clock;
    wireguard::WireGuard& wireguard;
  };
  /// `socket` is one of Protocol::kRoute. `resync`: how often it is looked whether others let through what
  /// the rules do, which takes a few programs each time.
  CoreWorks(const Tools& tools, firewall::BackEnd back_end, std::chrono::nanoseconds resync,
            nl::Socket socket);

  struct Wanted {
    Reachability reachability;
    std::vector<Tunnel> tunnels;
    bool has_key = true;  ///< false: tunnels stay as they stand
  };
  struct Look {
    ReachabilityKeeper::Look rules;
    /// Whether others let through what the rules do, when it was last looked. Errors: those of
    /// firewall::check_forwarded().
    Status forwarded;
    TunnelKeeper::Look tunnels;
  };
  /// Looks at all, and puts right what is not. No tunnel is made before rules stand.
  Look look(const Wanted& wanted);

  /// As TunnelKeeper::concerned_by(); for any thread.
  [[nodiscard]] bool concerned_by(const nl::Link& link) const { return tunnels_.concerned_by(link); }

 private:
  [[nodiscard]] std::vector<firewall::RuleSet> sets() const;
  Status choose();
  void see_forwarded();
  Status clean_others();

  Tools tools_;
  firewall::BackEnd back_end_;
  std::chrono::nanoseconds resync_;
  std::vector<IpFamily> families_;
  std::optional<firewall::ChosenFirewall> firewall_;
  std::optional<ReachabilityKeeper> rules_;
  std::optional<std::chrono::nanoseconds> seen_forwarded_;  // since boot
  Status forwarded_;
  bool ruled_ = false;    // rules were put
  bool cleaned_ = false;  // of what the other back end had
  TunnelKeeper tunnels_;
};

}  // namespace holdfast::gateway
