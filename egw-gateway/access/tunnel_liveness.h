#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "egw-gateway/access/access_plan.h"
#include "egw-gateway/bfd/engine.h"
#include "egw-gateway/bfd/udp_transport.h"
#include "egw-gateway/choice/gateway_choice.h"

namespace holdfast::gateway {

/// A gateway whose life is watched inside its tunnel.
struct TunnelTarget {
  WayName way{};
  IpAddress local{};
  IpAddress peer{};
  int ifindex = 0;  ///< of the tunnel
  std::chrono::milliseconds interval{};

  bool operator==(const TunnelTarget&) const = default;
};

/// Liveness of gateways by BFD over the single hop that a tunnel is (RFC 5881), one session a tunnel; a
/// gateway is missed for three intervals. Without authentication: the tunnel is it, and only packets that
/// come by it, from its gateway, count. On the event loop; nothing blocks.
class TunnelLiveness {
 public:
  static constexpr std::uint8_t kMultiplier = 3;
  /// `why`: for people. Never called from within want().
  using Told = std::function<void(const WayName& way, Word word, const std::string& why)>;

  /// `loop` outlives it.
  TunnelLiveness(EventLoop& loop, Told told);

  /// These and no others from now on. One whose ends and tunnel are the same goes on undisturbed. Errors: the
  /// first; what can be watched is.
  Status want(const std::vector<TunnelTarget>& targets);

  /// A session with a router on our network, which sends packets here for as long as that is up: 3 x 100 ms.
  /// Ours is down until tell_routers(). Again: does nothing. Errors: those of bfd::Engine::add().
  Status add_router(const IpAddress& local, const IpAddress& router);
  /// Whether packets for pods may be sent here.
  void tell_routers(bool alive);

  /// Tells these gateways, and all routers, that they are to send by another access point, for good: their
  /// sessions are administratively down from now on. Nothing more is told of these gateways.
  void leave(std::set<WayName> ways);
  /// Whether all whom leave() told have heard it, or are not heard themselves.
  [[nodiscard]] bool is_left() const;

 private:
  struct Session {
    TunnelTarget target;
    bfd::SessionId id = 0;
  };
  Status put(const TunnelTarget& target);
  [[nodiscard]] bool is_believed_by(bfd::SessionId id) const;
  void changed(bfd::SessionId id, const bfd::StateChange& change);

  Told told_;
  std::map<WayName, Session> sessions_;
  std::map<IpAddress, bfd::SessionId> routers_;
  bool alive_ = false;  // as routers were told
  bool leaving_ = false;
  std::set<WayName> left_;  // told by leave()
  bfd::UdpTransport transport_;
  bfd::Engine engine_;
};

}  // namespace holdfast::gateway
