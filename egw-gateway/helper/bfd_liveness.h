#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/metrics.h"
#include "egw-gateway/bfd/engine.h"
#include "egw-gateway/bfd/udp_transport.h"
#include "egw-gateway/helper/gateway_liveness.h"

namespace holdfast::gateway {

/// Liveness by BFD over several hops (RFC 5883), one session a gateway.
class BfdLiveness final : public GatewayLiveness {
 public:
  /// `loop` outlives it. `keys`: nullopt: no authentication.
  BfdLiveness(EventLoop& loop, std::optional<bfd::Keys> keys);

  void on_change(Told told) override { told_ = std::move(told); }
  Status want(const std::vector<LivenessTarget>& targets) override;
  /// For a program that signs; without sessions also the first keys. Sessions go on, when the peers accept
  /// what is sent from now on.
  /// Errors: the first.
  Status set_keys(const bfd::Keys& keys);

 private:
  struct Session {
    LivenessTarget target;
    bfd::SessionId id = 0;
  };
  [[nodiscard]] Result<bfd::SessionId> add(const LivenessTarget& target);
  Status put(const LivenessTarget& target);
  void changed(bfd::SessionId id, const bfd::StateChange& change);

  std::optional<bfd::Keys> keys_;
  Told told_;
  std::map<std::string, Session> sessions_;  // by gateway
  bfd::UdpTransport transport_;
  bfd::Engine engine_;
};

}  // namespace holdfast::gateway
