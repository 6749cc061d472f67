#include "egw-gateway/bfd/udp_transport.h"

#include <utility>
#include <vector>

namespace holdfast::bfd {

std::size_t UdpTransport::index(Hops hops, IpFamily family) {
  return (hops == Hops::kSingle ? 0U : 2U) + (family == IpFamily::kV4 ? 0U : 1U);
}

Status UdpTransport::open(Hops hops, IpFamily family) {
  std::unique_ptr<Kind>& kind = kinds_.at(index(hops, family));
  if (kind) return {};
  HOLDFAST_TRY(UdpSockets sockets, UdpSockets::open(hops, family));
  HOLDFAST_TRY(EventLoop::Watch watch,
               loop_.watch(sockets.fd(), {.readable = true}, [this](Readiness) { readable_(); }));
  kind = std::make_unique<Kind>(Kind{std::move(sockets), std::move(watch)});
  return {};
}

Sent UdpTransport::send(std::span<const Outgoing> packets) {
  std::array<std::vector<const Outgoing*>, 4> sorted;
  for (const Outgoing& packet : packets) {
    sorted.at(index(packet.path.hops, packet.path.peer.family())).push_back(&packet);
  }
  Sent out;
  for (std::size_t n = 0; n < sorted.size(); ++n) {
    if (sorted.at(n).empty()) continue;
    const Sent sent = kinds_.at(n)->sockets.send(sorted.at(n));
    out.refused += sent.refused;
    if (sent.refused > 0) out.sys_errno = sent.sys_errno;
  }
  return out;
}

void UdpTransport::receive(const std::function<void(const Incoming&)>& take) {
  for (const std::unique_ptr<Kind>& kind : kinds_) {
    if (kind) kind->sockets.receive(take);
  }
}

}  // namespace holdfast::bfd
