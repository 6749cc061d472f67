#pragma once

#include <array>
#include <functional>
#include <memory>

#include "common/base/event_loop.h"
#include "egw-gateway/bfd/transport.h"
#include "egw-gateway/bfd/udp_sockets.h"

namespace holdfast::bfd {

/// BFD over UDP in the network namespace of the thread that opens it: two sockets for each kind of path in
/// use, one that receives on the kind's port and one that sends from a port of 49152..65535, as RFC 5881
/// section 4 asks. All sessions of a kind share that port, as they do with BIRD; the RFC wishes for one each,
/// which would take a socket a session.
class UdpTransport final : public Transport {
 public:
  /// `loop` outlives it.
  explicit UdpTransport(EventLoop& loop) : loop_(loop) {}

  Status open(Hops hops, IpFamily family) override;
  Sent send(std::span<const Outgoing> packets) override;
  void receive(const std::function<void(const Incoming&)>& take) override;
  void on_readable(std::function<void()> readable) override { readable_ = std::move(readable); }

 private:
  struct Kind {
    UdpSockets sockets;
    EventLoop::Watch watch;
  };
  [[nodiscard]] static std::size_t index(Hops hops, IpFamily family);

  EventLoop& loop_;
  std::function<void()> readable_;
  std::array<std::unique_ptr<Kind>, 4> kinds_;  // by hops and family
};

}  // namespace holdfast::bfd
