#pragma once

#include <functional>
#include <span>
#include <utility>

#include "common/base/fd.h"
#include "egw-gateway/bfd/transport.h"

namespace holdfast::bfd {

/// The sockets of one kind of path. Source: RFC 5881 sections 4 and 5, RFC 5883 sections 4 and 5; ip(7),
/// ipv6(7), sendmmsg(2), recvmmsg(2).
class UdpSockets {
 public:
  /// Errors: those of Transport::open().
  static Result<UdpSockets> open(Hops hops, IpFamily family);

  /// To read from; send() uses another.
  [[nodiscard]] int fd() const { return receiver_.get(); }
  /// All `packets` are of this kind.
  Sent send(std::span<const Outgoing* const> packets);
  void receive(const std::function<void(const Incoming&)>& take);

 private:
  UdpSockets(Hops hops, Fd receiver, Fd sender)
      : hops_(hops), receiver_(std::move(receiver)), sender_(std::move(sender)) {}

  Hops hops_;
  Fd receiver_;
  Fd sender_;
};

}  // namespace holdfast::bfd
